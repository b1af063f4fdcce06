"""Open WebUI: what its `/ollama` proxy sends, by aiohttp for what may stream and by requests for the rest."""

import re
from datetime import datetime

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import AIOHTTP, REQUESTS

# Source: open-webui/open-webui, backend/open_webui/routers/ollama.py (requests, names of headers),
# utils/response.py (what is read of a stream), config.py (the prompt for titles, shortened).
JSON = ("Content-Type: application/json",)
USER = (
    *JSON,
    "X-OpenWebUI-User-Name: J%C3%BCrgen Meier",
    "X-OpenWebUI-User-Id: 8d1f1a52-8d0e-4e55-9d8f-5a0b7b6f2c11",
    "X-OpenWebUI-User-Email: juergen@example.com",
    "X-OpenWebUI-User-Role: admin",
)
CHAT = (*USER, "X-OpenWebUI-Chat-Id: 1f0c9a34-51a4-4b7e-a5b0-0f6a0e8b9d22")
TITLE = (
    "### Task:\\nGenerate a concise, 3-5 word title.\\n### Output:\\nJSON format: "
    '{ \\"title\\": \\"your title here\\" }\\n### Chat History:\\nUSER: Hello'
)


def has_a_version(answer: Answer) -> None:
    """The lowest of all connections is searched for, without a `v` and what follows a hyphen."""
    text = re.sub(r"^v|-.*", "", answer.json["version"])
    assert all(part.isdecimal() for part in text.split("."))


def expires(answer: Answer) -> None:
    """The time is parsed with its offset, and the key is the name."""
    for model in answer.json["models"]:
        assert model["name"]
        assert datetime.fromisoformat(model["expires_at"]).tzinfo


def is_loaded(answer: Answer) -> None:
    assert answer.json["models"]
    expires(answer)


def is_unloaded(answer: Answer) -> None:
    assert (answer.json["done"], answer.json["done_reason"]) == (True, "unload")


def speeds_can_be_told(answer: Answer) -> None:
    """Tokens a second are counted from the last line."""
    last = readers.chat_lines(answer)[-1]
    assert last["eval_count"] / (last["eval_duration"] / 1e9) > 0
    assert last["prompt_eval_count"] / (last["prompt_eval_duration"] / 1e9) > 0
    assert isinstance(last["load_duration"], int)


def has_one_vector(answer: Answer) -> None:
    assert all(isinstance(number, float) for number in answer.json["embedding"])


def is_described(answer: Answer) -> None:
    assert isinstance(answer.json["model_info"], dict)
    assert isinstance(answer.json["details"], dict)


READING = (
    Step("GET /api/version", has_a_version),
    Step("GET /api/tags", readers.models, headers=USER),
    Step("GET /api/ps", expires, headers=USER),
    Step(
        "POST /api/chat",
        speeds_can_be_told,
        '{"model": "$MODEL", "messages": [{"role": "user", "content": "What is the capital of France?"}], '
        '"options": {"temperature": 0.1, "num_ctx": 4096, "mirostat_tau": 5.0, "num_predict": 30, '
        '"stop": ["###"]}, '
        '"stream": true, "keep_alive": "10m"}',
        CHAT,
    ),
    Step("GET /api/ps", is_loaded, headers=USER),
    Step(
        "POST /api/chat",
        readers.whole_text,
        f'{{"model": "$MODEL", "messages": [{{"role": "user", "content": "{TITLE}"}}], '
        '"options": {"num_predict": 40}, "stream": false}',
        CHAT,
    ),
    Step("POST /api/generate", is_unloaded, '{"model": "$MODEL", "keep_alive": 0, "prompt": ""}', USER),
)
EMBEDDING = (
    Step("POST /api/show", is_described, '{"model": "$MODEL"}', USER),
    Step("POST /api/embed", readers.vectors(2), '{"model":"$EMBEDDER","input":["one","two"]}', USER),
    Step("POST /api/embed", readers.vectors(1), '{"model":"$EMBEDDER","input":"one","truncate":true}', USER),
    Step("POST /api/embeddings", has_one_vector, '{"model":"$EMBEDDER","prompt":"one"}', USER),
)
# Its page for administrators. Both spellings of the name go along where a form has the old one.
MAKING = (
    Step(
        "POST /api/create",
        readers.progress,
        '{"model":"webui-pirate","stream":true,"from":"$MODEL","system":"Speak like a pirate."}',
        USER,
    ),
    Step(
        "POST /api/pull",
        readers.progress,
        '{"name": "webui-pirate", "model": "webui-pirate", "insecure": true}',
        USER,
    ),
    Step(
        "POST /api/pull",
        lambda answer: readers.error(Answer(200, {}, answer.body.splitlines()[-1])),
        '{"model": "nobody", "insecure": true}',
        USER,
    ),
)
MANAGING = (
    Step("POST /api/copy", readers.nothing, '{"source":"webui-pirate","destination":"webui-copy"}', USER),
    Step("DELETE /api/delete", readers.nothing, '{"name": "webui-copy", "model": "webui-copy"}', USER),
    Step("DELETE /api/delete", readers.nothing, '{"model": "webui-pirate"}', USER),
    Step("DELETE /api/delete", readers.error, '{"model": "webui-pirate"}', USER, status=404),
    Step("POST /api/show", readers.error, '{"model": "webui-pirate"}', USER, status=404),
)

REPLAYS = (
    Replay("Open WebUI, chatting", AIOHTTP, READING),
    Replay("Open WebUI, embeddings", REQUESTS, EMBEDDING),
)
ADMIN = (
    Replay("Open WebUI, making a model", AIOHTTP, MAKING),
    Replay("Open WebUI, managing it", REQUESTS, MANAGING),
)
"""One after the other: the second ends what the first begins."""
