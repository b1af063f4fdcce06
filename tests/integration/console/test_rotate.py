"""`manage.py rotate_credentials`: API keys sealed anew while the server runs."""

import io
import threading

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from backends.models import Credential
from backends.routing import registry
from console.management.commands import rotate_credentials
from core import crypto, revisions
from tests.conftest import Change
from tests.support import factories

pytestmark = pytest.mark.usefixtures("database")

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
API_KEY = "sk-api-key-of-a-backend-0001"


def rotate(*flags: str) -> list[str]:
    out = io.StringIO()
    call_command("rotate_credentials", *flags, stdout=out)
    return out.getvalue().splitlines()


def store(count: int, *, backend: str = "local") -> list[Credential]:
    """Add a backend with so many API keys, each with a secret of its own."""
    made = factories.backend("http://h/v1", backend)
    labels = [f"k{number}" for number in range(count)]
    return [
        Credential.objects.create(backend=made, label=label, secret=f"{API_KEY}-{label}") for label in labels
    ]


def sealed() -> dict[str, tuple[str, str]]:
    return {row.label: (row.sealed_with, row.secret.token) for row in Credential.objects.all()}


@pytest.fixture
def with_old_key(change: Change) -> None:
    change(credential_keys=(OLD,))


def test_every_key_is_resealed_with_the_first_and_opens_with_it_alone(
    with_old_key: None, change: Change
) -> None:
    rows = store(3)
    rows[2].retired_at = timezone.now()
    rows[2].save()
    change(credential_keys=(NEW, OLD))
    assert rotate() == ["3 of 3", "3 resealed, 0 sealed with the first key before."]
    change(credential_keys=(NEW,))
    for before in rows:
        after = Credential.objects.get(pk=before.pk)
        assert after.reveal() == f"{API_KEY}-{before.label}"
        assert after.sealed_with == crypto.fingerprint(NEW)
        assert (after.hint, after.updated_at, after.retired_at) == (
            before.hint,
            before.updated_at,
            before.retired_at,
        )


def test_again_it_reseals_nothing(with_old_key: None, change: Change) -> None:
    store(2)
    change(credential_keys=(NEW, OLD))
    rotate()
    before, revision = sealed(), revisions.number(revisions.ROUTING)
    assert rotate() == ["0 resealed, 2 sealed with the first key before."]
    assert (sealed(), revisions.number(revisions.ROUTING)) == (before, revision)


def test_a_dry_run_opens_all_and_writes_nothing(with_old_key: None, change: Change) -> None:
    store(2)
    change(credential_keys=(NEW, OLD))
    before, revision = sealed(), revisions.number(revisions.ROUTING)
    assert rotate("--dry-run") == ["2 of 2", "2 would be resealed, 0 sealed with the first key before."]
    assert (sealed(), revisions.number(revisions.ROUTING)) == (before, revision)


def test_it_goes_in_batches_and_says_how_far_it_is(
    with_old_key: None, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(5)
    change(credential_keys=(NEW, OLD))
    monkeypatch.setattr(rotate_credentials, "BATCH", 2)
    assert rotate() == ["2 of 5", "4 of 5", "5 of 5", "5 resealed, 0 sealed with the first key before."]


def test_what_was_stopped_goes_on_where_it_was(
    with_old_key: None, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(5)
    change(credential_keys=(NEW, OLD))
    monkeypatch.setattr(rotate_credentials, "BATCH", 2)
    seal, seals = crypto.seal, 0

    def stop_at_the_fourth(secret: str, binding: str) -> str:
        nonlocal seals
        seals += 1
        if seals == 4:
            raise KeyboardInterrupt
        return seal(secret, binding)

    monkeypatch.setattr(crypto, "seal", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    assert [key == crypto.fingerprint(NEW) for key, _ in sealed().values()] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert rotate() == ["2 of 3", "3 of 3", "3 resealed, 2 sealed with the first key before."]


@pytest.mark.parametrize("flags", [(), ("--dry-run",)], ids=["for real", "dry run"])
def test_what_no_key_opens_is_named_and_the_others_are_resealed(
    flags: tuple[str, ...], change: Change
) -> None:
    change(credential_keys=(LOST,))
    store(2, backend="lost")
    retired = Credential.objects.get(label="k1")
    retired.retired_at = timezone.now()
    retired.save()
    change(credential_keys=(OLD,))
    moved, *_ = store(3)
    other = Credential.objects.get(backend=moved.backend_id, label="k1")
    Credential.objects.filter(pk=moved.pk).update(secret=other.secret)
    change(credential_keys=(NEW, OLD))
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("rotate_credentials", *flags, stdout=out)
    assert caught.value.returncode == 1
    assert str(caught.value).splitlines() == [
        "3 cannot be opened:",
        "  lost/k0: no key in CREDENTIAL_KEYS opens it",
        "  lost/k1 (retired): no key in CREDENTIAL_KEYS opens it",
        "  local/k0: it was sealed for another row",
        "Add the key that sealed them to the end of CREDENTIAL_KEYS and run this again. If it is lost, "
        "give the API keys again (in the admin or with `manage.py apply`) and delete the retired ones.",
    ]
    verb = "would be resealed" if flags else "resealed"
    assert out.getvalue().splitlines() == ["5 of 5", f"2 {verb}, 0 sealed with the first key before."]
    assert API_KEY not in out.getvalue() + str(caught.value)


def test_an_edit_meanwhile_is_not_overwritten(
    with_old_key: None, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = store(1)
    change(credential_keys=(NEW, OLD))
    seal = crypto.seal

    def edit() -> None:
        mine = Credential.objects.get(pk=row.pk)
        mine.secret = "sk-edited-meanwhile-0002"
        mine.save()
        connection.close()

    editor = threading.Thread(target=edit)

    def seal_while_somebody_edits(secret: str, binding: str) -> str:
        if threading.current_thread() is not editor and not editor.ident:
            editor.start()
            # Without a lock the edit would be through by now, and what follows would overwrite it.
            editor.join(timeout=1)
        return seal(secret, binding)

    monkeypatch.setattr(crypto, "seal", seal_while_somebody_edits)
    assert rotate()[-1] == "1 resealed, 0 sealed with the first key before."
    editor.join(timeout=20)
    assert not editor.is_alive()
    assert Credential.objects.get(pk=row.pk).reveal() == "sk-edited-meanwhile-0002"


def test_a_server_that_still_lacks_the_new_key_serves_on(with_old_key: None, change: Change) -> None:
    store(1)
    registry.routing.reload()
    revision = revisions.number(revisions.ROUTING)
    change(credential_keys=(NEW, OLD))
    rotate()
    assert revisions.number(revisions.ROUTING) == revision
    [upstream] = registry.current().upstreams.values()
    assert upstream.secrets == (f"{API_KEY}-k0",)


def test_without_keys_it_says_how_to_make_one(change: Change) -> None:
    change(credential_keys=())
    with pytest.raises(CommandError, match="CREDENTIAL_KEYS is not set"):
        rotate()
