"""/api/ps: what is in use, whatever became of it since."""

import pytest

from backends.models import MappingTarget
from tests.fake_backend import FakeBackend
from tests.support import factories
from tests.support.raw_http import Client

pytestmark = pytest.mark.usefixtures("database")


def in_use(client: Client) -> list[str]:
    answer = client.get("/api/ps")
    assert answer.status == 200, answer.text
    return sorted(model["name"] for model in answer.json["models"])


def test_a_model_that_was_switched_off_hides_no_other(client: Client, fake: FakeBackend) -> None:
    backend = factories.backend(fake)
    factories.mapping("m", backend)
    other = factories.mapping("other", backend)
    for name in ("m", "other"):
        assert client.chat(model=name).status == 200
    assert in_use(client) == ["m:latest", "other:latest"]
    for target in MappingTarget.objects.filter(mapping=other):
        target.enabled = False
        target.save()
    assert client.chat(model="other").status == 503
    assert in_use(client) == ["m:latest"]
