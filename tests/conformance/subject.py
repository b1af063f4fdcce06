"""What is looked at: a server, its models by what they can do, and the stage behind it if there is one."""

from dataclasses import dataclass
from typing import Any

from tests.conformance.checks import Json, ok
from tests.conformance.wire import NO_HEADERS, Answer, Headers, Server
from tests.fake_backend import FakeBackend

QUESTION = "Say hi to all of us, please."
"""Seven words: the stage counts words as tokens."""
FEW_TOKENS = 48
"""A live model need not say much."""
NO_MODEL = "no-such-model"


@dataclass(frozen=True)
class Stage:
    """What only the suite's own deployment has: a backend under control, and several who ask."""

    fake: FakeBackend
    api_key: str
    """The server's own key for the backend."""
    listed: tuple[str, ...]
    """The models that the backend lists."""
    vllm: str
    """A model whose backend is a vLLM, with switches that others have not."""
    openai: str
    """A model whose backend is OpenAI."""
    vision: str
    slashed: str
    """A model whose name has a namespace."""
    down: str
    """A model whose backend is down."""
    guest: Server
    """Somebody who may not change models."""
    nobody: Server
    """Somebody who may use no model."""

    @property
    def asked(self) -> list[Json]:
        """Give the bodies of the chat completions that the backend was asked for."""
        return [request.json for request in self.fake.requests if request.path.endswith("/chat/completions")]


@dataclass(frozen=True)
class Subject:
    """The server under the glass."""

    server: Server
    model: str
    """Completion, tools, thinking."""
    text_model: str = ""
    """Completion only."""
    embedding_model: str = ""
    may_change: bool = False
    scripted: Stage | None = None

    @property
    def stage(self) -> Stage:
        """Give the stage to a check that said that it needs one."""
        if self.scripted is None:
            raise LookupError("no stage")
        return self.scripted

    @property
    def stem(self) -> str:
        """Give the model's name without tag."""
        head, slash, last = self.model.rpartition("/")
        return head + slash + last.partition(":")[0]

    @property
    def has_default_tag(self) -> bool:
        """Whether `:latest` may be written or left out."""
        tag = self.model.rpartition("/")[2].partition(":")[2]
        return tag in ("", "latest")

    @property
    def tagged(self) -> str:
        """Give the name as lists show it."""
        return f"{self.stem}:latest" if self.has_default_tag else self.model

    def call(self, text: str = QUESTION, **fields: Any) -> Json:
        """Make the body of a chat with one turn; a field that is None is left out."""
        body: Json = {"model": self.model, "messages": [{"role": "user", "content": text}]}
        if self.scripted is None:
            body["options"] = {"num_predict": FEW_TOKENS}
        return {name: value for name, value in (body | fields).items() if value is not None}

    def chat(self, text: str = QUESTION, *, headers: Headers = NO_HEADERS, **fields: Any) -> Answer:
        """Chat, and read the whole answer."""
        return self.server.post("/api/chat", self.call(text, **fields), headers)

    def said(self, text: str = QUESTION, **fields: Any) -> Json:
        """Chat without streaming; give the object."""
        found: Json = ok(self.chat(text, stream=False, **fields))
        return found

    def upstream(self, text: str = QUESTION, **fields: Any) -> Json:
        """Chat, and give what the backend was asked."""
        before = len(self.stage.asked)
        self.said(text, **fields)
        return self.stage.asked[before]
