"""Probing: asked for by an operator, paid by the team system, believed by clients at once."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backends.models import ProbeResult
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.admin import Operator, page, told
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client

TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
EVERYTHING = (
    "completion",
    "embedding",
    "tools",
    "streamed tools",
    "vision",
    "thinking",
    "schema",
    "insert",
)


def probe(*arguments: str) -> list[str]:
    out = io.StringIO()
    try:
        call_command("probe", *arguments, stdout=out)
    except CommandError as error:
        return [*out.getvalue().splitlines(), f"error: {error}"]
    return out.getvalue().splitlines()


def verdicts(model: str = "m") -> dict[str, str]:
    return {row.capability: row.verdict for row in ProbeResult.objects.filter(model=model)}


@pytest.fixture
def able(fake: FakeBackend) -> Any:
    """Make the fake's model able to do some things."""

    def make(*abilities: str) -> None:
        fake.script("m", scripts.able(*abilities))

    return make


class TestVerdicts:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        factories.mapping("m", factories.backend(fake, dialect="vllm"))

    def test_a_model_that_can_everything(self, able: Any) -> None:
        able(*EVERYTHING)
        probe("m")
        assert verdicts() == dict.fromkeys(EVERYTHING, "yes")
        assert ProbeResult.objects.get(capability="embedding").length == 8

    def test_a_model_that_only_chats(self, able: Any) -> None:
        able("completion")
        probe("m")
        expected = dict.fromkeys(EVERYTHING, "no") | {"completion": "yes"}
        assert verdicts() == expected
        evidence = {row.capability: row.evidence for row in ProbeResult.objects.all()}
        assert evidence["vision"] == "status 400: vision is not supported by this model"
        assert evidence["tools"] == "told to call a tool, it answered in words"

    def test_a_model_that_only_embeds_is_asked_nothing_else(self, able: Any, fake: FakeBackend) -> None:
        able("embedding")
        probe("m")
        assert verdicts() == {"completion": "no", "embedding": "yes"}
        assert len(fake.streams) == 2

    def test_a_model_that_neither_chats_nor_embeds_is_not_judged(self, able: Any) -> None:
        able()
        assert "it neither chats (status 400: completion is not supported" in probe("m")[1]
        assert verdicts() == {}

    @pytest.mark.parametrize("only", ["tools", "streamed tools"])
    def test_one_tool_call_of_two_tries_is_a_yes(self, able: Any, only: str) -> None:
        able("completion", only)
        probe("m")
        assert verdicts()["tools"] == "yes"
        assert verdicts()["streamed tools"] == ("yes" if only == "streamed tools" else "no")

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (scripts.status(401), "status 401"),
            (scripts.rate_limited(), "status 429"),
            (scripts.html_200(), "not understood"),
            (scripts.model_not_found("m"), "does not exist"),
            (scripts.close_without_answer(), "no answer came"),
        ],
        ids=["401", "429", "html", "unknown", "closed"],
    )
    def test_what_cannot_be_asked_changes_nothing(
        self, able: Any, fake: FakeBackend, script: Any, reason: str
    ) -> None:
        able(*EVERYTHING)
        probe("m")
        fake.script("m", script)
        lines = probe("m")
        assert reason in next(line for line in lines if "not probed" in line)
        assert lines[-1] == "error: 1 of 1 could not be probed."
        assert verdicts() == dict.fromkeys(EVERYTHING, "yes")

    def test_a_new_probe_replaces_the_last(self, able: Any) -> None:
        able(*EVERYTHING)
        probe("m")
        able("completion", "thinking")
        probe("m")
        assert verdicts()["tools"] == "no"
        assert verdicts()["thinking"] == "yes"
        assert ProbeResult.objects.count() == len(EVERYTHING)


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def _routes(self, database: None, fake: FakeBackend) -> None:
        self.near = factories.backend(fake, "near", dialect="vllm")
        factories.mapping("m", self.near, factories.backend("http://127.0.0.1:9/v1", "far"))

    def test_prints_what_came_and_what_clients_are_told(self, able: Any) -> None:
        able("completion", "tools", "streamed tools")
        lines = probe("m", "--target", "near")
        assert lines[0] == "m on near"
        assert lines[1].split() == ["completion", "yes", "it", "answered"]
        assert lines[-3].endswith(" tokens used")
        near, far = lines[-2:]
        assert near == "clients are told of m on near: completion (probe), tools (probe)"
        assert far == (
            "clients are told of m on far: completion (assumed), tools (assumed); "
            "unknown: tools, thinking, which a probe finds out"
        )

    def test_prints_prices_and_ends_too(self, able: Any, fake: FakeBackend) -> None:
        pricing = {"prompt": "0.00000015", "completion": "0.0000006"}
        fake.models = [{"id": "m", "context_length": 9, "pricing": pricing, "expiration_date": "2027-01-31"}]
        able("completion")
        (line,) = (line for line in probe("m", "--target", "near") if " on near: " in line)
        assert line.endswith(
            "context 9 (backend), prompt 0.15 USD a million (backend), "
            "answer 0.6 USD a million (backend), retires 2027-01-31 (backend)"
        )

    def test_goes_on_when_one_backend_is_away(self, able: Any) -> None:
        able("completion")
        lines = probe("m")
        assert any(line.startswith("  not probed: ") for line in lines)
        assert lines[-1] == "error: 1 of 2 could not be probed."
        assert verdicts()["completion"] == "yes"

    def test_names_what_there_is(self) -> None:
        assert probe("m", "--target", "nowhere") == ["error: m has no target on nowhere. Known: far, near."]
        assert probe("x") == ["error: x leads nowhere: no mapping matches."]

    def test_a_name_through_a_pattern_is_probed_as_the_backend_spells_it(
        self, able: Any, fake: FakeBackend
    ) -> None:
        fake.models = ["Lab/M"]
        fake.script("Lab/M", scripts.able("completion"))
        factories.mapping("lab/*", self.near, model="lab/*")
        probe("lab/m")
        assert verdicts("Lab/M")["completion"] == "yes"
        assert "no backend lists it" in probe("lab/x")[0]


class TestWhatItCosts:
    def test_is_recorded_as_the_team_systems(
        self, database: None, fake: FakeBackend, able: Any, ledger: RecordSpy
    ) -> None:
        factories.mapping("m", factories.backend(fake, dialect="vllm"))
        able(*EVERYTHING)
        probe("m")
        records = ledger.records
        assert len(records) == len(fake.streams) == len(EVERYTHING)
        assert {(one["team"], one["endpoint"], one["backend"]) for one in records} == {
            ("system", "probe", "fake")
        }
        used = sum(one["prompt_tokens"] + one["completion_tokens"] for one in records)
        assert used == sum(row.tokens for row in ProbeResult.objects.all()) > 0

    def test_nothing_is_asked_before_somebody_asks_for_it(self, client: Client, fake: FakeBackend) -> None:
        factories.route(fake)
        client.get("/api/tags")
        client.post("/api/show", {"model": "m"})
        assert fake.streams == []


class TestClients:
    def test_are_told_and_refused_at_once(self, client: Client, fake: FakeBackend, able: Any) -> None:
        mapping = factories.mapping("m", factories.backend(fake, dialect="vllm"))
        before = client.get("/api/tags").json["models"][0]
        assert client.chat(tools=[TOOL], stream=False).status == 200
        able("completion", "vision")
        probe("m")
        shown = client.post("/api/show", {"model": "m"}).json
        assert shown["capabilities"] == ["completion", "vision"]
        after = client.get("/api/tags").json["models"][0]
        assert after["capabilities"] == ["completion", "vision"]
        assert (after["digest"], after["modified_at"]) == (before["digest"], before["modified_at"])
        refused = client.chat(tools=[TOOL])
        expected = "registry.ollama.ai/library/m:latest does not support tools"
        assert (refused.status, refused.error) == (400, expected)
        assert client.chat(think=True).error == '"m" does not support thinking'
        mapping.capabilities = ["completion", "tools"]
        mapping.save()
        assert client.chat(tools=[TOOL], stream=False).status == 200

    def test_are_refused_through_a_pattern_too(self, client: Client, fake: FakeBackend) -> None:
        fake.models = ["m", "other"]
        backend = factories.backend(fake)
        factories.mapping("*", backend)
        assert client.chat(tools=[TOOL], stream=False).status == 200
        ProbeResult.objects.create(backend=backend, model="m", capability="tools", verdict="no", evidence="x")
        assert client.chat(tools=[TOOL]).status == 400
        assert client.chat(model="other", tools=[TOOL], stream=False).status == 200
        found = {entry["name"]: entry["capabilities"] for entry in client.get("/api/tags").json["models"]}
        assert found == {"m:latest": ["completion"], "other:latest": ["completion", "tools"]}

    def test_fill_in_where_a_probe_says_so(self, client: Client, fake: FakeBackend, able: Any) -> None:
        factories.mapping("m", factories.backend(fake, dialect="vllm"))
        able("completion", "insert")
        asked = {"model": "m", "prompt": "a", "suffix": "b", "stream": False}
        assert client.post("/api/generate", asked).status == 400
        probe("m")
        assert client.post("/api/generate", asked).json["response"] == "a + b"


class TestTheAdmin:
    @pytest.fixture(autouse=True)
    def _route(self, database: None, fake: FakeBackend) -> None:
        self.mapping = factories.mapping("m", factories.backend(fake, dialect="vllm"))
        self.page = page("backends.modelmapping", "change", self.mapping.pk)
        self.button = page("backends.modelmapping", "probe", self.mapping.pk)

    def test_the_button_probes_and_the_page_shows_what_was_found(self, able: Any) -> None:
        able("completion", "tools", "streamed tools")
        operator = Operator()
        assert "Nothing was probed" in operator.get(self.page)
        assert "unknown: tools, thinking, which a probe finds out" in operator.get(self.page)
        assert f'value="probe:{self.mapping.pk}"' in operator.get(page("backends.modelmapping"))
        answer = operator.fill(self.page, {"_press": "probe"}, follow=True)
        (message,) = told(answer)
        assert message.startswith(
            "Saved. m on fake: completion yes, embedding no, tools yes, streamed tools yes"
        )
        assert message.endswith(" tokens")
        shown = answer.content.decode()
        assert "told to call a tool" not in shown
        assert "<td>it called the tool</td>" in shown
        assert f" {sum(row.tokens for row in ProbeResult.objects.all())} tokens</caption>" in shown
        assert "completion (probe), tools (probe)" in shown
        assert "which a probe finds out" not in shown

    def test_a_failure_is_told(self, fake: FakeBackend) -> None:
        fake.script("m", scripts.status(401))
        (message,) = told(Operator().press(self.button, follow=True))
        assert message.startswith("m on fake was not probed: status 401")

    def test_a_pattern_is_not_probed(self, fake: FakeBackend) -> None:
        everything = factories.mapping("*", factories.backend(fake, "other"))
        button = page("backends.modelmapping", "probe", everything.pk)
        (message,) = told(Operator().press(button, follow=True))
        assert message.startswith("* is a pattern")
        assert fake.streams == []

    def test_needs_the_permission_to_change_and_a_post(self, fake: FakeBackend) -> None:
        looker = Operator("backends.view_modelmapping")
        assert looker.press(self.button).status_code == 403
        assert 'value="probe' not in looker.get(page("backends.modelmapping")) + looker.get(self.page)
        assert "What is known of its models" in looker.get(self.page)
        assert looker.client.get(self.button).status_code == 405
        assert fake.streams == []


class TestThroughOllamasOwnAPI:
    """A Llamagate behind Llamagate: here the same one, under another name."""

    @pytest.fixture(autouse=True)
    def _routes(self, client: Client, fake: FakeBackend) -> None:
        factories.mapping("m", factories.backend(fake, dialect="vllm"))
        itself = factories.backend(f"http://127.0.0.1:{client.port}/v1", "itself", dialect="ollama")
        factories.mapping("outer", itself, model="m")

    def test_the_same_is_found(self, able: Any) -> None:
        able("completion", "tools", "streamed tools", "vision", "thinking", "schema")
        probe("outer")
        assert verdicts() == dict.fromkeys(EVERYTHING, "yes") | {"embedding": "no", "insert": "no"}

    def test_what_the_inner_one_found_is_told_by_the_outer_one(self, client: Client, able: Any) -> None:
        able("completion", "vision")
        probe("m")
        assert client.post("/api/show", {"model": "outer"}).json["capabilities"] == ["completion", "vision"]
