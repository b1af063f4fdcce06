"""What `ollama` shows of a 401, and the page that it leads to: how to get a client key, and where to put it.

The command line takes two members of a 401: it prints `status` where a call is not streamed, and `signin_url`
in `ollama run` and `ollama signin`. Source: Ollama v0.33 `api/client.go` (checkError), `cmd/cmd.go`.
"""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from html import escape
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from accounts.directory import Caller
from gateway.errors import Failure
from ollama_api.http import json_response
from ollama_api.request import ClientRequest

PAGE_PATH = "/connect"
USER_IDS = uuid.UUID("0d0b0b52-6f0a-5a53-9d39-1d1a6f3f4f0e")
"""The namespace of the ids below; nothing but constant."""
STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
dt { font-weight: 600 }
dd { margin: 0 0 1rem }
pre { margin: .3rem 0; padding: .6rem .8rem; overflow-x: auto; border: 1px solid #8888; border-radius: .4rem }
"""
_STYLE_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{_STYLE_DIGEST}'"
"""Nothing runs on the page, and of styles its own alone."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Connect to this server</title><style>{style}</style></head><body>
<h1>Connect to this server</h1>
<p>This server speaks the APIs of Ollama, OpenAI and Anthropic, and wants a client key from you. Whoever runs
it makes keys, in its admin under <b>Access &gt; Client keys</b>; a key is shown once. Then put it where your
program has room for it (<code>KEY</code> stands for yours):</p>
<dl>
<dt>ollama</dt><dd><pre>OLLAMA_HOST={base}/k/KEY ollama run MODEL</pre></dd>
<dt>programs with a field for a URL, and no other</dt><dd><pre>{base}/k/KEY</pre></dd>
<dt>Ollama's library for Python, and what is built on it</dt>
<dd><pre>OLLAMA_HOST={base} OLLAMA_API_KEY=KEY</pre></dd>
<dt>programs for OpenAI's API</dt><dd><pre>OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY=KEY</pre></dd>
<dt>programs for Anthropic's API</dt><dd><pre>ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN=KEY</pre></dd>
<dt>everything else: a header</dt><dd><pre>Authorization: Bearer KEY</pre></dd>
</dl>
</body></html>
"""


def write_401_body(failure: Failure, request: ClientRequest) -> dict[str, Any]:
    """Write the body of a 401 on Ollama's routes."""
    return {
        "error": failure.message,
        "status": failure.message,
        "signin_url": public_base(request) + PAGE_PATH,
    }


def public_base(request: ClientRequest) -> str:
    """Give the URL by which this client reaches the server, without a key.

    It is the setting's; else what the client says that it asked, which the guard has let pass.
    """
    if settings.PROXY.public_url:
        return str(settings.PROXY.public_url)
    host = request.META.get("HTTP_HOST", "").strip()
    return f"{request.scheme}://{host or _own_address(request)}"


def _own_address(request: ClientRequest) -> str:
    """Give the address that the client connected to, for HTTP/1.0 without a Host."""
    name, port = request.META["SERVER_NAME"], request.META["SERVER_PORT"]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


async def connect(request: ClientRequest) -> HttpResponseBase:
    """Say how to get and set a key. Anybody may read it; nothing in it is secret, and nothing runs."""
    response = HttpResponse(PAGE.format(base=escape(public_base(request)), style=STYLE))
    response["Content-Security-Policy"] = POLICY
    response["Content-Length"] = str(len(response.content))
    return response


async def me(request: ClientRequest) -> HttpResponseBase:
    """Tell who asks, as Ollama tells of its own users: a key is somebody, and so is this machine.

    The command line refuses an `id` that is no UUID, and takes an empty `name` for nobody.
    """
    caller = request.context.caller
    return json_response({"id": _user_id(caller), "email": "", "name": _user_name(caller), "plan": "free"})


def _user_id(caller: Caller) -> str:
    return str(uuid.uuid5(USER_IDS, f"key {caller.key_id}" if caller.key_id else f"team {caller.team}"))


def _user_name(caller: Caller) -> str:
    return caller.key_name or caller.key_id or caller.team
