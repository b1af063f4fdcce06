"""The Origin header: which web pages and apps may ask, by Ollama's rules, and what a preflight is told.

Source: Ollama `server/routes.go` (GenerateRoutes), `envconfig/config.go`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from ollama_api.request import Message, Send
from proxy_site.refusals import Headers, Refused, answer

LOCAL_ORIGIN_HOSTS = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104  # names in an Origin, not a bind
DEFAULT_ORIGINS = (
    *(
        f"{scheme}://{host}{port}"
        for scheme in ("http", "https")
        for host in LOCAL_ORIGIN_HOSTS
        for port in ("", ":*")
    ),
    *(f"{scheme}://*" for scheme in ("app", "file", "tauri", "vscode-webview", "vscode-file")),
)
STAINLESS = (
    "arch",
    "async",
    "custom-poll-interval",
    "helper-method",
    "lang",
    "os",
    "package-version",
    "poll-helper",
)
STAINLESS_MORE = ("retry-count", "runtime", "runtime-version", "timeout")
ALLOWED_HEADERS = ",".join(
    ["Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "X-API-Key", "OpenAI-Beta"]
    + [f"X-Stainless-{name.title()}" for name in STAINLESS + STAINLESS_MORE]
)
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"43200"),
    (b"vary", b"Origin"),
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
]


def match_origin(origin: bytes, host: bytes, patterns: tuple[str, ...]) -> bytes | None:
    """Give what to allow; None for the same origin, which needs no word. Raises `Refused`."""
    text = origin.decode("latin1")
    if text in (f"http://{host.decode('latin1')}", f"https://{host.decode('latin1')}"):
        return None
    for pattern in patterns:
        if pattern == "*":
            return b"*"
        if fnmatchcase(text, pattern):
            return origin
    raise Refused(403, "this Origin is not allowed here: the operator may add it to OLLAMA_ORIGINS")


async def answer_preflight(origin: bytes, send: Send) -> None:
    """Tell a browser what an allowed page may ask."""
    await answer(204, [*PREFLIGHT, (b"access-control-allow-origin", origin)], b"", send)


def with_origin(send: Send, origin: bytes) -> Send:
    """Name the allowed origin in an answer."""

    async def send_with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (b"access-control-allow-origin", origin), (b"vary", b"Origin")]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_origin
