"""Client keys in a path, `http://HOST/k/KEY/...`: for clients that have a URL and nothing else.

Everything on `fetch` refuses a URL with credentials (`http://x:KEY@HOST`), and others drop them, so the key
stands in the path. It is taken out before anybody else sees the request: behind this, the path is the route's
own, and the key is a header like any other.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from posixpath import normpath
from typing import Any, Final
from urllib.parse import quote, unquote

from accounts.keys import KEY_IN_PATH
from proxy_site.doors import is_for_operators

PREFIX: Final = "/k/"
MASK = "***"
REPLACED_HEADERS = frozenset({b"authorization", b"x-api-key", b"referer"})
"""Programs send dummies beside a key in the path. A referrer may hold it once more."""
IN_TEXT = re.compile(r"(/(?:k|%6b)/)[^/\s\"'?#<>\\]{16,}", re.IGNORECASE)
"""No shorter key lets anybody in, and a shorter word behind `/k/` may be part of any path."""


def move_key_to_header(scope: MutableMapping[str, Any]) -> None:
    """Make a request for `/k/KEY/REST` one for `REST` with the key in its header, and mark it.

    REST is cleaned (a base URL with a final slash makes `//v1`): a redirect would tell the key once more.
    No way leads to the operators' door from here; such a path stays one that no route has.
    """
    key, _, rest = scope["path"].removeprefix(PREFIX).partition("/")
    path = "/" + normpath("/" + rest).lstrip("/")
    if is_for_operators(path):
        path = f"{PREFIX}{MASK}{path}"
    scope["path"] = path
    scope["raw_path"] = quote(path).encode("ascii")
    headers = [field for field in scope["headers"] if field[0] not in REPLACED_HEADERS]
    scope["headers"] = [*headers, (b"authorization", b"Bearer " + key.encode())]
    scope[KEY_IN_PATH] = True


def mask_target(target: bytes) -> bytes:
    """Take the key out of a request's target, for what makes no scope of it."""
    path, mark, query = target.partition(b"?")
    text = unquote(path.decode("latin1"))
    if PREFIX not in text:
        return target
    return PREFIX.encode() + MASK.encode() + mark + query


def mask_text(text: str) -> str:
    """Take keys out of a text that holds paths or URLs, such as another library's log line."""
    return IN_TEXT.sub(rf"\1{MASK}", text)
