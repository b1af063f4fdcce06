"""What applications send to an Ollama server, byte for byte, and what they then look for in its answers.

An application is a module with `REPLAYS`: tables of requests, each with the function that reads its answer
as the application does. The sources are named where a table begins. A head has the bytes that the HTTP
library writes, recorded from the library itself where it was at hand; the body is what the application gives.
"""

from . import (
    claude_code,
    codex,
    command_line,
    continue_dev,
    enchanted,
    home_assistant,
    jetbrains,
    n8n,
    open_webui,
    vscode,
    zed,
)
from .player import Replay, play

MODULES = (
    claude_code,
    codex,
    command_line,
    continue_dev,
    enchanted,
    home_assistant,
    jetbrains,
    n8n,
    open_webui,
    vscode,
    zed,
)
REPLAYS = tuple(replay for module in MODULES for replay in module.REPLAYS)

__all__ = ["REPLAYS", "Replay", "play"]
