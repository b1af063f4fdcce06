"""Every vector against one subject, one after the other: each finds the stage as new."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.conformance.checks import Failed
from tests.conformance.sections import SECTIONS
from tests.conformance.subject import Subject
from tests.conformance.vectors import Need, Section, Vector
from tests.conformance.verdicts import EXACT, Level, Verdict, not_checked

# What a check meets when it reaches into an answer of quite another shape.
OTHER_SHAPE = (LookupError, TypeError, AttributeError, ValueError, StopIteration)

_HAS: dict[Need, Callable[[Subject], bool]] = {
    Need.STAGE: lambda subject: subject.scripted is not None,
    Need.EMBEDDING: lambda subject: bool(subject.embedding_model),
    Need.TEXT: lambda subject: bool(subject.text_model),
    Need.CHANGES: lambda subject: subject.may_change,
    Need.LOCAL: lambda subject: subject.server.is_local,
    Need.KEY: lambda subject: bool(subject.server.key),
}


@dataclass(frozen=True)
class Result:
    """One row of the matrix, filled in."""

    section: Section
    vector: Vector
    verdict: Verdict


def run(subject: Subject) -> Iterator[Result]:
    """Check everything, in the order of the matrix."""
    for section in SECTIONS:
        for vector in section.vectors:
            yield Result(section, vector, check(vector, subject))


def check(vector: Vector, subject: Subject) -> Verdict:
    """Check one vector."""
    lacking = [need for need in vector.needs if not _HAS[need](subject)]
    if lacking:
        return not_checked(f"needs {lacking[0]}")
    if subject.scripted is not None:
        subject.scripted.fake.reset()
    try:
        return vector.check(subject) or EXACT
    except Failed as failure:
        return Verdict(Level.FAILED, failure.what, failure.seen)
    except OTHER_SHAPE as error:
        return Verdict(Level.FAILED, "the answer has another shape", repr(error))
    except TimeoutError as error:
        return Verdict(Level.FAILED, "what must happen did not happen in time", str(error))
