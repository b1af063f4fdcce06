"""An OpenAI-compatible backend on a real socket, with exact control over bytes and timing.

    with FakeBackend() as fake:
        fake.script("cut", scripts.cut_mid_stream(after=2))
        ...  # requests to fake.base_url
        assert fake.requests[0].body["stream"] is True

Without a script a chat streams "Hello from the fake backend.". A last user message `echo: TEXT` is answered
with TEXT; `use TOOLNAME`, with that tool among `tools`, with a call of the tool. `scripts` holds ready-made
faults, and `scripts.obedient` a model that does all it is told; `steps` is what new ones are made of.
"""

from . import scripts, steps
from .embeddings import vector
from .records import Request, Stream
from .replies import REPLY_TEXT, Reply, say
from .server import FakeBackend
from .steps import Script

__all__ = [
    "REPLY_TEXT",
    "FakeBackend",
    "Reply",
    "Request",
    "Script",
    "Stream",
    "say",
    "scripts",
    "steps",
    "vector",
]
