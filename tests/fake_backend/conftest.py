"""The fake backend with a client of its own: no product between."""

from collections.abc import Iterator

import pytest

from . import FakeBackend
from .client import Client


@pytest.fixture
def client(fake: FakeBackend) -> Iterator[Client]:
    """A client of the fake backend."""
    with Client(fake.port) as made:
        yield made
