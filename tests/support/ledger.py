"""What the product records of requests, as it records it."""

import threading
from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]
DEADLINE_S = 3.0


class RecordSpy:
    """Stands in for the log of `usage.ledger`: keeps the records, and passes them on."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._changed = threading.Condition()
        self._records: list[Record] = []

    def info(self, event: str, **fields: Any) -> None:
        with self._changed:
            self._records.append(fields)
            self._changed.notify_all()
        self._log.info(event, **fields)

    @property
    def records(self) -> list[Record]:
        with self._changed:
            return list(self._records)

    def wait(self, count: int = 1, timeout: float = DEADLINE_S) -> list[Record]:
        """Wait for so many records.

        Raises:
            TimeoutError: there were fewer.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._records) >= count, timeout):
                raise TimeoutError(f"{len(self._records)} of {count} records: {self._records}")
            return list(self._records)


def outcomes(records: Iterable[Record]) -> list[str]:
    """Give how the requests ended."""
    return [record["outcome"] for record in records]
