"""Which script answers which request."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .answers import CREATED, error_script, json_script, ordinary_script
from .records import Json, Request
from .steps import Script

ANY_MODEL = "*"
Rule = Callable[[Request], Script | None]
"""Chooses by what was asked; None is the ordinary answer."""
Models = Sequence[str | Mapping[str, Any]] | Script

_GENERATING = ("/chat/completions", "/completions", "/embeddings")


class Routing:
    """The scripts by model and by path, changed by tests while the fake's loop reads them."""

    def __init__(self, models: Models, require_key: str | None) -> None:
        self._lock = threading.Lock()
        self._always: dict[str, Script | Rule] = {}
        self._once: defaultdict[str, deque[Script]] = defaultdict(deque)
        self._routes: dict[tuple[str, str], Script] = {}
        self.models = models
        self.require_key = require_key

    def script(self, model: str, script: Script | Rule | None) -> None:
        with self._lock:
            if script is None:
                self._always.pop(model, None)
            else:
                self._always[model] = script

    def script_once(self, model: str, script: Script) -> None:
        with self._lock:
            self._once[model].append(script)

    def route(self, method: str, path: str, script: Script) -> None:
        with self._lock:
            self._routes[method, path.removeprefix("/v1")] = script

    def forget_scripts(self) -> None:
        with self._lock:
            self._always.clear()
            self._once.clear()

    def choose(self, request: Request) -> Script:
        """Find the script for a request; the first that fits wins."""
        key = request.method, request.endpoint
        with self._lock:
            if script := self._routes.get(key):
                return script
        if not self._has_key(request):
            return error_script(401, "Incorrect API key provided.", "invalid_api_key")
        if key == ("GET", "/models"):
            return self._list_models()
        if request.endpoint not in _GENERATING:
            url = f"{request.method} {request.path}"
            return error_script(404, f"Unknown request URL: {url}.", "unknown_url")
        if request.method != "POST":
            return error_script(405, f"Not allowed to {request.method} on {request.path}.")
        found = self._scripted(request.model)
        if callable(found):
            found = found(request)
        return found or ordinary_script(request)

    def _scripted(self, model: str) -> Script | Rule | None:
        with self._lock:
            for queue in (self._once[model], self._once[ANY_MODEL]):
                if queue:
                    return queue.popleft()
            return self._always.get(model) or self._always.get(ANY_MODEL)

    def _has_key(self, request: Request) -> bool:
        """Accept the key as Bearer, or as Azure has it."""
        wanted = self.require_key
        given = request.headers.get("authorization"), request.headers.get("api-key")
        return wanted is None or f"Bearer {wanted}" == given[0] or wanted == given[1]

    def _list_models(self) -> Script:
        models = self.models
        if isinstance(models, Script):
            return models
        return json_script(200, {"object": "list", "data": [_entry(model) for model in models]})


def _entry(model: str | Mapping[str, Any]) -> Json:
    """Describe a model as OpenAI does; a mapping brings its id and what its backend adds."""
    given: Mapping[str, Any] = {"id": model} if isinstance(model, str) else model
    return {"object": "model", "created": CREATED, "owned_by": "fake", **given}
