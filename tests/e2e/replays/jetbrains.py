"""JetBrains AI Assistant, as the proxies tell that were written for it; its own source is closed."""

from . import readers
from .player import Replay, Step
from .stacks import KTOR

# Source: xrip/ollama-api-proxy, src/index.js; Stream29/ProxyAsLocalModel, README.md and issue 14
# (`/api/show` is asked for when a model is added). Which engine its HTTP client has is not told. Taken is
# Java's, which is the one with a quirk: it offers to go on in HTTP/2.
CHAT = (
    '{"model":"$MODEL","messages":[{"role":"system","content":"You are an AI assistant in an IDE."},'
    '{"role":"user","content":"What is the capital of France?"}],"options":{"temperature":0.0},"stream":true}'
)
STEPS = (
    Step("GET /", readers.is_running),
    Step("GET /api/version", readers.version),
    Step("GET /api/tags", readers.models),
    Step("POST /api/show", readers.nothing, '{"name":"$MODEL"}'),
    Step("POST /api/chat", readers.streamed_text, CHAT),
)

REPLAYS = (Replay("JetBrains AI Assistant", KTOR, STEPS),)
