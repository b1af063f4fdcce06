"""What several integration tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_backend import FakeBackend
from tests.support.configuration import Files


@pytest.fixture
def second() -> Iterator[FakeBackend]:
    """Another backend beside `fake`, to turn to."""
    with FakeBackend() as backend:
        yield backend


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Configuration files to apply, in a folder of their own."""
    return Files(tmp_path, monkeypatch)
