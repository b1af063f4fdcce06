"""What is recorded of each try of a target: plain values, as they stand in the record and in the log line.

Nothing in here is as long as a client or a backend likes, so the log takes it as it is. Times are
milliseconds; what is 0 or empty is not written.
"""

from __future__ import annotations

import msgspec

MOST_ATTEMPTS = 16
"""Of one request; a model of many targets is unloaded at each."""
MOST_CALLS = 16
"""Of one attempt: embeddings in parts make as many as there are parts."""


class CallRecord(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True, gc=False):
    """One call to a backend."""

    outcome: str
    """As of an attempt; `cancelled`: another call of the request failed, or the request was cancelled."""
    sent_ms: float
    """Since the request began."""
    ms: float
    """Until its answer ended."""
    answer_bytes: int = 0
    """What came of its answer, whole or not."""


class AttemptRecord(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """One try of a target."""

    backend: str
    model: str
    path: str
    outcome: str
    """`ok`, `cancelled`, or the class of what went wrong: `unreachable`, `timeout`, `rejected 429`, ..."""
    sent_ms: float
    """Since the request began."""
    ms: float
    """Until it ended."""
    first_ms: float = 0.0
    """Until the first words came; 0: none did."""
    answer_bytes: int = 0
    """What came of the answer, in all calls; with another outcome than `ok` it is a part."""
    emulated_stops: int = 0
    """How many stop strings were looked for here; what they say is the client's."""
    calls: tuple[CallRecord, ...] = ()
    """The first of its calls."""
    more_calls: int = 0
    """How many there were beside these."""


class AttemptRecords(tuple[AttemptRecord, ...]):
    """The tries of one request, in order; at most `MOST_ATTEMPTS`."""

    __slots__ = ()
