"""What was learnt from refusals, as operators see it, and as processes share it."""

import asyncio
import io
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from backends.models import ModelMapping
from backends.routing import registry
from backends.routing.snapshot import Target
from console import learned_notes
from core import ttl_store
from gateway import learned_fields
from gateway.translate.learning import Lesson
from tests.conftest import Change
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories, legs
from tests.support.admin import Operator, page, told
from tests.support.raw_http import Client
from tests.support.waiting import eventually

UNKNOWN = {"error": {"message": "Unknown parameter: 'top_p'.", "param": "top_p", "code": "unknown_parameter"}}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    learned_fields.forget_all()
    yield
    learned_fields.forget_all()


@pytest.fixture
def mapping(client: Client, fake: FakeBackend) -> ModelMapping:
    made = factories.route(fake)
    fake.script("m", lambda request: scripts.status(400, UNKNOWN) if "top_p" in request.json else None)
    assert client.chat(options={"top_p": 0.5}).status == 200
    fake.script("m", None)
    return made


def sends_it(client: Client, fake: FakeBackend) -> bool:
    assert client.chat(options={"top_p": 0.5}).status == 200
    return "top_p" in fake.requests[-1].json


def resolve(*arguments: str) -> str:
    out = io.StringIO()
    call_command("resolve", "m", *arguments, stdout=out)
    return out.getvalue()


def test_resolve_tells_it_and_has_it_forgotten(
    client: Client, fake: FakeBackend, mapping: ModelMapping
) -> None:
    assert "learnt from refusals: m on fake: without top_p" in resolve()
    assert not sends_it(client, fake)
    assert "forgotten" in resolve("--forget-learned")
    assert "learnt" not in resolve()
    assert sends_it(client, fake)


def test_the_page_of_the_mapping_tells_it_and_has_it_forgotten(
    client: Client, fake: FakeBackend, mapping: ModelMapping
) -> None:
    operator = Operator()
    change_page = page("backends.modelmapping", "change", mapping.pk)
    assert "without top_p" in operator.get(change_page)
    answer = operator.fill(change_page, {"_press": "forget"}, follow=True)
    assert any("is forgotten" in line for line in told(answer))
    assert "without top_p" not in operator.get(change_page)
    assert sends_it(client, fake)


def test_the_page_of_a_pattern_tells_it_of_each_model(
    client: Client, fake: FakeBackend, mapping: ModelMapping
) -> None:
    pattern = factories.mapping("*", mapping.targets.get().backend)
    shown = Operator().get(page("backends.modelmapping", "change", pattern.pk))
    assert "m on fake: without top_p" in " ".join(shown.split())


def test_only_who_may_change_a_mapping_may_forget(
    client: Client, fake: FakeBackend, mapping: ModelMapping
) -> None:
    reader = Operator("backends.view_modelmapping", name="ben")
    assert reader.press(page("backends.modelmapping", "forget", mapping.pk)).status_code in (302, 403)
    assert not sends_it(client, fake)


async def learn_and_tell(target: Target) -> None:
    """Learn as a server does, and wait until the others can hear of it."""
    learned_fields.learn(target, Lesson(("seed",)))
    await asyncio.gather(*ttl_store._tasks)
    await ttl_store.close()


async def follow_until_known() -> None:
    """Follow as a server does, until something was heard of."""
    learned_fields.follow()
    learned_fields.follow()
    assert len(learned_fields._tasks) == 1
    await asyncio.to_thread(eventually, lambda: bool(learned_fields.known))
    learned_fields.stop()
    await asyncio.gather(*learned_fields._tasks, return_exceptions=True)
    await ttl_store.close()


@pytest.mark.redis
def test_other_processes_hear_of_it_through_redis(
    client: Client, fake: FakeBackend, mapping: ModelMapping, change: Change
) -> None:
    change(redis_url=legs.url(legs.REDIS))
    route = registry.current().resolve("m")
    assert route is not None
    asyncio.run(learn_and_tell(route.targets[0]))
    learned_fields.forget_all()  # as another process, which learnt nothing
    assert learned_notes.list_notes(route.targets) == []
    asyncio.run(follow_until_known())
    assert learned_notes.list_notes(route.targets) == [("m on fake", "without seed, without top_p")]
    learned_fields.forget_all()
    learned_notes.load()
    assert learned_notes.list_notes(route.targets) == [("m on fake", "without seed, without top_p")]
    learned_notes.forget(route.targets)
    learned_fields.forget_all()
    learned_notes.load()
    assert learned_notes.list_notes(route.targets) == []
