"""How HTTP libraries write the head of a request: names, order and what they add unasked."""

from dataclasses import dataclass

OWN = "*"
"""Where the application's own headers stand."""
WITH_BODY = "$LENGTH"


@dataclass(frozen=True)
class Stack:
    """One HTTP library as one application uses it."""

    lines: tuple[str, ...]
    keeps_alive: bool = True

    def head(self, request: str, own: tuple[str, ...], host: str, length: int) -> str:
        """Write the head; a line about the body only where there is one."""
        lines = [line for line in self.lines if length or WITH_BODY not in line]
        if OWN in lines:
            place = lines.index(OWN)
            lines[place : place + 1] = own
        text = "\r\n".join([f"{request} HTTP/1.1", *lines, "", ""])
        return text.replace("$HOST", host).replace(WITH_BODY, str(length))


# Recorded from ollama-js 0.6.4 on the fetch of Node.js.
OLLAMA_JS = Stack(
    (
        "host: $HOST",
        "connection: keep-alive",
        "Content-Type: application/json",
        "Accept: application/json",
        "User-Agent: ollama-js/0.6.4 (x64 linux Node.js/v22.21.1)",
        "accept-language: *",
        "sec-fetch-mode: cors",
        "accept-encoding: gzip, deflate",
        "content-length: $LENGTH",
    )
)

# Recorded from the fetch of Node.js.
NODE_FETCH = Stack(
    (
        "host: $HOST",
        "connection: keep-alive",
        OWN,
        "accept: */*",
        "accept-language: *",
        "sec-fetch-mode: cors",
        "user-agent: node",
        "accept-encoding: gzip, deflate",
        "content-length: $LENGTH",
    )
)

# Recorded from ollama-python 0.6.3 on httpx.
OLLAMA_PYTHON = Stack(
    (
        "Host: $HOST",
        "Accept-Encoding: gzip, deflate, br",
        "Connection: keep-alive",
        "content-type: application/json",
        "accept: application/json",
        "user-agent: ollama-python/0.6.3 (x86_64 linux) Python/3.14.2",
        "Content-Length: $LENGTH",
    )
)

# Recorded from aiohttp; Open WebUI makes a session for each request.
AIOHTTP = Stack(
    (
        "Host: $HOST",
        OWN,
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br",
        "User-Agent: Python/3.11 aiohttp/3.13.2",
        "Content-Length: $LENGTH",
    ),
    keeps_alive=False,
)

# Recorded from requests, without a session.
REQUESTS = Stack(
    (
        "Host: $HOST",
        "User-Agent: python-requests/2.32.5",
        "Accept-Encoding: gzip, deflate, br",
        "Accept: */*",
        "Connection: keep-alive",
        OWN,
        "Content-Length: $LENGTH",
    ),
    keeps_alive=False,
)

# axios on the HTTP client of Node.js, as n8n's request helper sets it up.
N8N_AXIOS = Stack(
    (
        "Accept: application/json",
        OWN,
        "User-Agent: n8n",
        "Content-Length: $LENGTH",
        "Accept-Encoding: gzip, compress, deflate, br",
        "Host: $HOST",
        "Connection: keep-alive",
    )
)

# Chromium's network stack, which the fetch of Electron is.
ELECTRON_FETCH = Stack(
    (
        "Host: $HOST",
        "Connection: keep-alive",
        "Content-Length: $LENGTH",
        OWN,
        "User-Agent: GitHubCopilotChat/0.42.1",
        "Sec-Fetch-Site: none",
        "Sec-Fetch-Mode: no-cors",
        "Sec-Fetch-Dest: empty",
        "Accept-Encoding: gzip, deflate, br, zstd",
    )
)


def _hyper(user_agent: str) -> Stack:
    """hyper, which reqwest stands on: lower-case names, the host last but for the length."""
    return Stack((OWN, f"user-agent: {user_agent}", "host: $HOST", "content-length: $LENGTH"))


ZED = _hyper("Zed/0.215.3 (linux; x86_64)")
CODEX = _hyper("codex_cli_rs/0.98.0 (Ubuntu 24.4.0; x86_64) xterm-256color")

# URLSession on a Mac.
CFNETWORK = Stack(
    (
        "Host: $HOST",
        "Content-Type: application/json",
        "Connection: keep-alive",
        "Accept: */*",
        "User-Agent: Enchanted/1.8.1 CFNetwork/1568.300.101 Darwin/24.2.0",
        "Content-Length: $LENGTH",
        "Accept-Language: en-GB,en;q=0.9",
        "Accept-Encoding: gzip, deflate",
    )
)

# The HTTP client of Ktor on java.net.http.
KTOR = Stack(
    (
        "Connection: Upgrade, HTTP2-Settings",
        "Content-Length: $LENGTH",
        "Host: $HOST",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAABgAGAAA",
        "Upgrade: h2c",
        "Accept: application/json",
        "Accept-Charset: UTF-8",
        "Content-Type: application/json",
        "User-Agent: ktor-client",
    )
)

# net/http of Go, as the `ollama` command uses it.
GO = Stack(
    (
        "Host: $HOST",
        "User-Agent: ollama/0.33.0 (amd64 linux) Go/go1.26.0",
        "Content-Length: $LENGTH",
        OWN,
        "Content-Type: application/json",
        "Accept-Encoding: gzip",
    )
)
