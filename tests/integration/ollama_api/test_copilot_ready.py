"""What clients ask to decide what a model can do, and that they hear the truth."""

from collections.abc import Callable
from typing import Any

import ollama
import pytest

from backends.models import Backend, ModelMapping, ProbeResult
from tests.fake_backend import FakeBackend, scripts
from tests.support import factories
from tests.support.raw_http import Client

OLDEST_FOR_COPILOT = (0, 6, 4)
Truth = tuple[set[str], int | None]
"""Tools, vision, thinking, as far as the model has them, and its context length."""
SWITCHES = {"tools", "vision", "thinking"}


def copilot(client: Client, name: str) -> Truth:
    """VS Code's Ollama provider: the version, the list, then each model with a user agent of its own."""
    version = client.get("/api/version").json["version"]
    assert tuple(map(int, version.split("."))) >= OLDEST_FOR_COPILOT
    listed = [entry["model"] for entry in client.get("/api/tags").json["models"]]
    assert f"{name}:latest" in listed
    agent = {"User-Agent": "GitHubCopilotChat/0.30.0"}
    shown = [client.post("/api/show", {"model": model}, **agent).json for model in listed]
    assert all(isinstance(one["capabilities"], list) for one in shown)  # one without fails the whole list
    (info,) = (one for one in shown if one["model_info"]["general.basename"] == f"{name}:latest")
    architecture = info["model_info"]["general.architecture"]
    context = info["model_info"].get(f"{architecture}.context_length")
    return SWITCHES & set(info["capabilities"]), context


def ollama_extension(client: Client, name: str) -> Truth:
    """An editor that uses Ollama's own library: list, then show."""
    listed = ollama.ListResponse(**client.get("/api/tags").json)
    assert f"{name}:latest" in [model.model for model in listed.models]
    shown = ollama.ShowResponse(**client.post("/api/show", {"model": name}).json)
    info = shown.modelinfo or {}
    context = next((value for key, value in info.items() if key.endswith(".context_length")), None)
    return SWITCHES & set(shown.capabilities or []), context


def open_webui(client: Client, name: str) -> Truth:
    """Open WebUI: the version verifies the connection, the list is keyed by `model` and merged."""
    assert client.get("/api/version").status == 200
    merged = {entry["model"]: entry for entry in client.get("/api/tags").json["models"]}
    entry = merged[f"{name}:latest"]
    assert isinstance(client.get("/api/ps").json["models"], list)
    return SWITCHES & set(entry["capabilities"]), entry["details"].get("context_length")


def home_assistant(client: Client, name: str) -> Truth:
    """Home Assistant: the list within a timeout; what it lacks is pulled; then tools and think are sent."""
    listed = [entry["model"] for entry in client.get("/api/tags").json["models"]]
    assert f"{name}:latest" in listed
    shown = client.post("/api/show", {"model": f"{name}:latest"}).json
    context = {key: value for key, value in shown["model_info"].items() if key.endswith(".context_length")}
    return SWITCHES & set(shown["capabilities"]), next(iter(context.values()), None)


CLIENTS: list[Callable[[Client, str], Truth]] = [copilot, ollama_extension, open_webui, home_assistant]


def llamacpp(fake: FakeBackend) -> None:
    """A model with eyes, a template with tools, and a slot that is shorter than the trained context."""
    fake.models = [{"id": "m", "meta": {"n_ctx": 32768, "n_ctx_train": 131072}}]
    props = {
        "default_generation_settings": {"n_ctx": 8192},
        "modalities": {"vision": True, "audio": False},
        "chat_template": "{{ messages }}",
        "chat_template_caps": {"supports_tools": True},
    }
    fake.route("GET", "/props", scripts.json_body(props))


def openrouter(fake: FakeBackend) -> None:
    architecture = {"input_modalities": ["text"], "output_modalities": ["text"]}
    told = {"architecture": architecture, "supported_parameters": ["tools", "reasoning"]}
    fake.models = [{"id": "m", "context_length": 200000, "top_provider": {"context_length": 131072}, **told}]


def mistral(fake: FakeBackend) -> None:
    can = {"completion_chat": True, "function_calling": False, "vision": True, "reasoning": True}
    fake.models = [{"id": "m", "max_context_length": 128000, "capabilities": can}]


def bare(fake: FakeBackend) -> None:
    fake.models = ["m"]


TRUTHS: list[tuple[str, Callable[[FakeBackend], None], Truth]] = [
    ("llamacpp", llamacpp, ({"tools", "vision"}, 8192)),
    ("openrouter", openrouter, ({"tools", "thinking"}, 131072)),
    ("mistral", mistral, ({"vision", "thinking"}, 128000)),
    ("generic", bare, ({"tools"}, None)),
]


def known(truth: Truth) -> Truth:
    return truth[0], truth[1] or None


@pytest.fixture(params=CLIENTS, ids=lambda one: one.__name__)
def learn(request: pytest.FixtureRequest, client: Client) -> Callable[[], Truth]:
    """Be one of the clients, and say what it takes for true."""
    ask: Callable[[Client, str], Truth] = request.param
    return lambda: known(ask(client, "house"))


@pytest.fixture
def house(database: None, fake: FakeBackend) -> Callable[[str], ModelMapping]:
    """Map the name `house` to the fake as a kind of backend."""

    def make(dialect: str) -> ModelMapping:
        return factories.mapping("house", factories.backend(fake, dialect=dialect), model="m")

    return make


@pytest.mark.parametrize(("dialect", "arrange", "truth"), TRUTHS, ids=[name for name, _, _ in TRUTHS])
def test_what_the_backend_says_reaches_every_client(
    learn: Callable[[], Truth],
    house: Callable[[str], ModelMapping],
    fake: FakeBackend,
    dialect: str,
    arrange: Callable[[FakeBackend], None],
    truth: Truth,
) -> None:
    arrange(fake)
    house(dialect)
    assert learn() == truth


def test_a_probe_is_believed_more_than_the_backend(
    learn: Callable[[], Truth], house: Callable[[str], ModelMapping], fake: FakeBackend
) -> None:
    llamacpp(fake)
    house("llamacpp")
    for capability, verdict in {"tools": "no", "thinking": "yes", "vision": "unclear"}.items():
        where = {"backend": Backend.objects.get(), "model": "m"}
        ProbeResult.objects.create(**where, capability=capability, verdict=verdict, evidence="seen")
    assert learn() == ({"vision", "thinking"}, 8192)


def test_the_operator_is_believed_most(
    learn: Callable[[], Truth], house: Callable[[str], ModelMapping], fake: FakeBackend
) -> None:
    llamacpp(fake)
    mapping = house("llamacpp")
    where = {"backend": Backend.objects.get(), "model": "m"}
    ProbeResult.objects.create(**where, capability="tools", verdict="no", evidence="seen")
    mapping.capabilities, mapping.context_length = ["completion", "tools"], 4096
    mapping.save()
    assert learn() == ({"tools"}, 4096)


def test_a_model_that_can_nothing_that_ollama_knows_spoils_no_list(
    learn: Callable[[], Truth], house: Callable[[str], ModelMapping], fake: FakeBackend, client: Client
) -> None:
    fake.models = ["m", {"id": "whisper-large-v3"}]
    factories.mapping("hears", house("generic").targets.get().backend, model="whisper-large-v3")
    assert learn() == ({"tools"}, None)
    assert client.post("/api/show", {"model": "hears"}).json["capabilities"] == []


def test_what_a_client_was_told_is_what_it_gets(
    house: Callable[[str], ModelMapping], fake: FakeBackend, client: Client, database: Any
) -> None:
    """Home Assistant sends tools, `think`, `num_ctx` and an endless `keep_alive` at once."""
    bare(fake)
    house("generic")
    tool = {"type": "function", "function": {"name": "light", "parameters": {"type": "object"}}}
    asked = {"model": "house", "messages": [{"role": "user", "content": "use light"}], "stream": False}
    more = {"tools": [tool], "think": False, "keep_alive": -1, "options": {"num_ctx": 8192}}
    answer = client.post("/api/chat", asked | more).json
    assert answer["message"]["tool_calls"][0]["function"]["name"] == "light"
