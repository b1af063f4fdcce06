"""Options and fixtures of the unit tests."""

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow: that is no failure of what is tested.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the expected files in tests/golden"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # Not known to pytest when this directory's options were not loaded first.
    return bool(request.config.getoption("--update-golden", default=False))
