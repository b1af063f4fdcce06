"""The product as processes, each for a whole run: with its demo model, and before a fake backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_backend import FakeBackend

from . import needs
from .product import API_KEY, FAULTY, MODELS, Newcomer

HERE = Path(__file__).resolve().parent
TEST_S = 150
"""With the start of the product, and of the model."""
collect_ignore = ["clients"]  # suites for environments of their own: test_client_suites runs them there


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(TEST_S))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """`manage.py serve --demo`: a real model."""
    needs.demo_model()
    with Newcomer(tmp_path_factory.mktemp("demo"), "--demo") as product:
        yield product
        assert not product.troubles


@pytest.fixture(scope="session")
def _backend() -> Iterator[FakeBackend]:
    with FakeBackend(models=(*MODELS, *FAULTY), require_key=API_KEY) as fake:
        yield fake


@pytest.fixture(scope="session")
def gateway(_backend: FakeBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """`OPENAI_API_KEY=... OPENAI_BASE_URL=... manage.py serve`: a backend under full control."""
    where = tmp_path_factory.mktemp("gateway")
    with Newcomer(where, OPENAI_API_KEY=API_KEY, OPENAI_BASE_URL=_backend.base_url) as product:
        yield product
        assert not product.troubles


@pytest.fixture
def backend(_backend: FakeBackend, gateway: Newcomer) -> FakeBackend:
    """The backend behind `gateway`, as if new."""
    _backend.reset()
    return _backend
