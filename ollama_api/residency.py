"""Which models are in use and until when, for /api/ps: nothing is loaded here, so use is what counts.

In this process's memory, bounded; a model leaves when its `keep_alive` is over, as it does in Ollama.
"""

from __future__ import annotations

import time

DEFAULT_S = 300.0
FOR_EVER_S = 292 * 365.25 * 86_400
"""What Ollama shows for an infinite keep-alive: about 292 years ahead."""
MOST = 1000

_until: dict[str, float] = {}
_window_s: dict[str, float] = {}


def use(name: str, keep_alive_s: float | None) -> None:
    """Note that `name` (canonical) was used. None keeps the window that it had; 0 ends it."""
    window_s = _window_s.get(name, DEFAULT_S) if keep_alive_s is None else keep_alive_s
    if window_s <= 0:
        end(name)
        return
    if len(_until) >= MOST and name not in _until:
        end(min(_until, key=_until.__getitem__))
    _window_s[name] = window_s
    _until[name] = time.time() + min(window_s, FOR_EVER_S)


def end(name: str) -> None:
    """Note that `name` was unloaded."""
    _until.pop(name, None)
    _window_s.pop(name, None)


def in_use() -> list[tuple[str, float]]:
    """List (name, Unix time of its end), the longest-lived first."""
    now = time.time()
    for name in [name for name, until in _until.items() if until <= now]:
        end(name)
    return sorted(_until.items(), key=lambda pair: -pair[1])


def forget() -> None:
    """Forget everything, between tests."""
    _until.clear()
    _window_s.clear()
