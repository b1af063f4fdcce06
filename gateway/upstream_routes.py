"""What an endpoint is: a row of pure functions, through which `exchange` takes a call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from django.http import HttpResponseBase

from backends.routing.snapshot import MappingRules, Target
from backends.wire.reading import Reader, Reading, Reads
from gateway.relay import Relay, Translator
from gateway.translate import stop_emulation
from gateway.translate.diagnostics import PLAIN, TranslationContext
from gateway.translate.token_usage import Timings
from ollama_api.http import NDJSONStream, json_response
from ollama_api.ollama.types import Metrics


class Call(Protocol):
    """What every typed request has."""

    @property
    def model(self) -> str:
        """The name that was asked for."""

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece."""

    @property
    def options(self) -> dict[str, Any]:
        """The Ollama options that the client set."""

    @property
    def keep_alive(self) -> Any:
        """How long the model counts as in use."""


CallT = TypeVar("CallT", bound=Call)
AskedT = TypeVar("AskedT", contravariant=True)


class ToUpstream(Protocol[AskedT]):
    """Makes a backend's body of a call."""

    def __call__(
        self, call: AskedT, target: Target, rule: MappingRules, aside: TranslationContext = PLAIN, /
    ) -> dict[str, Any]:
        """Translate for one target. Raises `BadRequest`."""


class Endpoint(msgspec.Struct, Generic[CallT], frozen=True, kw_only=True):
    """How a call of one endpoint is asked and answered: pure functions, and the form of its answers."""

    name: str
    """For records and logs."""
    upstream_path: str
    is_from_root: bool = False
    """Whether `upstream_path` stands beside a base URL's /v1, not below it."""
    in_lines: bool = False
    """Whether a stream comes as one JSON object per line, not as server-sent events."""
    client_headers: tuple[str, ...] = ()
    """Headers of the client that go along, since members of the body may need them; no others do."""
    call_keys: Callable[[CallT], list[str]] | None = None
    """Name the tool calls of the conversation, where there may be some."""
    to_upstream: ToUpstream[CallT]
    from_upstream: Callable[[CallT, Any, Timings, int], tuple[Any, Metrics]]
    stream: Callable[[CallT], Translator]
    check: Callable[[CallT, MappingRules], None] = lambda call, rule: None
    """Refuse what the endpoint or the model cannot do, once the model is known."""
    empty_reply: Callable[[CallT, str, int], Any] | None = None
    """Answer a call that only loads or unloads; None where there is no such call."""
    is_empty: Callable[[CallT], bool] = lambda call: False
    needs: Callable[[CallT], Collection[str]] = lambda call: ()
    """What a model must be able to do for a call, in Ollama's words for capabilities."""
    loads: bool = False
    """Whether the backend is told of calls that only load or unload a model."""
    way: Callable[[CallT, Target, MappingRules], Endpoint[CallT] | None] | None = None
    """Another row for what a call asks of a target, where one row is not enough; None: it cannot do that."""
    is_usual: bool = True
    """Whether every backend has `upstream_path`, so that a 404 there is about the model."""
    no_way: Callable[[CallT], str] = lambda call: "this model cannot do that"
    """Tell the client that no target can."""
    cuts: bool = True
    """Whether stop strings that are not sent are looked for in the answer."""
    mend: Callable[[CallT, Target, Any], None] | None = None
    """Take out of a whole answer what this kind of backend puts in and others do not."""
    reader: Callable[[Reading], Reads[Any]] = Reader
    """Make the reader of one answer, for the way in which a kind of backend has to be read."""
    whole: Callable[[Any], HttpResponseBase] = json_response
    lines: Callable[[Relay], HttpResponseBase] = NDJSONStream


def translate_call(
    endpoint: Endpoint[CallT],
    call: CallT,
    target: Target,
    rule: MappingRules,
    aside: TranslationContext = PLAIN,
) -> tuple[dict[str, Any], list[str]]:
    """Make the body for one target, and list the stop strings to look for in its answer."""
    body = endpoint.to_upstream(call, target, rule, aside)
    if not endpoint.cuts:
        return body, []
    return body, stop_emulation.list_unsent_stops(call.options, rule, target.dialect, body, aside.notes)


def filter_able(
    needed: Collection[str], targets: tuple[Target, ...], rule: MappingRules
) -> tuple[Target, ...]:
    """Leave out targets that a probe found unable, if others are left and the operator says nothing else."""
    if rule.capabilities:
        return targets
    fit = tuple(one for one in targets if not any(one.probed.can.get(word) is False for word in needed))
    return fit or targets
