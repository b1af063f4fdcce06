"""Options and fixtures of the unit tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the expected files in tests/golden"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # Not known to pytest when this directory's options were not loaded first.
    return bool(request.config.getoption("--update-golden", default=False))
