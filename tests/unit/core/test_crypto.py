"""Secrets at rest."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.exceptions import FieldError, ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backends.models import Credential
from core.crypto import SecretUnreadable, fingerprint, seal, sealing_fingerprint, unseal
from core.fields import Sealed

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# The fixture sets the same keys for every example.
with_keys = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
UseKeys = Callable[..., None]


@pytest.fixture
def keys(settings: LazySettings) -> UseKeys:
    def use(*credential_keys: str) -> None:
        settings.PROXY = settings.PROXY.with_changes(credential_keys=credential_keys)

    use(NEW)
    return use


@with_keys
@given(TEXT, TEXT)
def test_what_is_sealed_opens_again(keys: UseKeys, secret: str, place: str) -> None:
    assert unseal(seal(secret, place), place) == secret


@with_keys
@given(st.text(st.characters(codec="ascii"), min_size=6))
def test_a_seal_shows_nothing_of_the_secret(keys: UseKeys, secret: str) -> None:
    token = seal(secret, "row")
    assert secret not in token
    assert token.startswith("v1:")
    assert seal(secret, "row") != token, "no two seals are alike"


def test_a_seal_that_was_moved_to_another_row_does_not_open(keys: UseKeys) -> None:
    token = seal("sk-secret", "credential:1:backend:1")
    for place in ("credential:2:backend:1", "credential:1:backend:2", ""):
        with pytest.raises(SecretUnreadable, match="another row"):
            unseal(token, place)


def test_a_wrong_key_raises_and_never_gives_the_ciphertext(keys: UseKeys) -> None:
    token = seal("sk-secret", "row")
    keys(OLD)
    with pytest.raises(SecretUnreadable, match="no key in CREDENTIAL_KEYS") as unreadable:
        unseal(token, "row")
    assert token not in str(unreadable.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: token[:-1],
        lambda token: token[:-9] + "AAAAAAAAA",
        lambda _: "v1:",
        lambda _: "",
        lambda _: "v1:ü",
    ],
)
def test_a_damaged_seal_raises(keys: UseKeys, damage: Callable[[str], str]) -> None:
    with pytest.raises(SecretUnreadable):
        unseal(damage(seal("sk-secret", "row")), "row")


def test_every_key_opens_and_the_first_one_seals(keys: UseKeys) -> None:
    keys(OLD)
    old = seal("sk-secret", "row")
    keys(NEW, OLD)
    new = seal("sk-secret", "row")
    assert unseal(old, "row") == unseal(new, "row") == "sk-secret"
    keys(NEW)
    assert unseal(new, "row") == "sk-secret"
    with pytest.raises(SecretUnreadable):
        unseal(old, "row")


def test_a_fingerprint_names_the_sealing_key_and_tells_nothing_of_it(keys: UseKeys) -> None:
    keys(NEW, OLD)
    assert sealing_fingerprint() == fingerprint(NEW) != fingerprint(OLD)
    assert len(fingerprint(NEW)) == 16
    assert fingerprint(NEW) not in NEW


def test_without_a_key_nothing_is_sealed_and_the_error_says_how_to_get_one(keys: UseKeys) -> None:
    keys()
    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEYS is not set") as told:
        seal("sk-secret", "row")
    assert "urlsafe_b64encode" in str(told.value)


def test_a_malformed_key_is_named_without_being_shown(keys: UseKeys) -> None:
    keys(NEW, "not-a-key-at-all")
    with pytest.raises(ImproperlyConfigured, match="32 bytes in URL-safe base64") as told:
        seal("sk-secret", "row")
    assert "not-a-key" not in str(told.value)


# The field


def test_no_text_form_of_a_credential_shows_its_secret(keys: UseKeys) -> None:
    row = Credential(label="main", secret="sk-secret-0123", hint="0123")
    sealed = Sealed(seal("sk-secret-0123", "row"))
    for text in (repr(row), str(row), repr(sealed), str(sealed), f"{sealed}"):
        assert "secret" not in text
        assert "v1:" not in text


def test_a_secret_cannot_be_searched_for() -> None:
    field = Credential._meta.get_field("secret")
    for lookup in ("exact", "contains", "in", "startswith"):
        with pytest.raises(FieldError, match="sealed"):
            field.get_lookup(lookup)
    assert field.get_lookup("isnull") is not None


def test_a_secret_reaches_the_database_through_its_row_only() -> None:
    field = Credential._meta.get_field("secret")
    with pytest.raises(FieldError, match="save the row through its model"):
        field.get_prep_value("sk-secret")
    assert field.get_prep_value(Sealed("v1:token")) == "v1:token"
    assert field.get_prep_value(None) is None


def test_a_dump_holds_no_secret(keys: UseKeys) -> None:
    row = Credential(label="main")
    row.secret = Sealed(seal("sk-secret", "row"))
    assert Credential._meta.get_field("secret").value_to_string(row) == ""


def test_the_place_of_a_credential_names_its_row_and_its_backend() -> None:
    one, other = Credential(backend_id=1), Credential(backend_id=1)
    assert one.seal_binding() != other.seal_binding()
    moved = Credential(uid=one.uid, backend_id=2)
    assert moved.seal_binding() != one.seal_binding()


def test_cleaning_a_stored_credential_leaves_its_secret_alone() -> None:
    """Text made of a sealed value would be sealed in its place at the next save, and the key be lost."""
    sealed = Sealed(seal("sk-secret-0123", "row"))
    assert Credential._meta.get_field("secret").clean(sealed, None) is sealed
