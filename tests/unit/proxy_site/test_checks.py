"""What the checks at the start say of settings."""

import pytest
from django.conf import LazySettings

from proxy_site import checks, config


@pytest.mark.parametrize(("former", "name"), config.RENAMED_VARIABLES.items())
def test_a_former_name_of_a_variable_is_told_with_its_name(
    settings: LazySettings, former: str, name: str
) -> None:
    settings.PROXY = settings.PROXY.with_changes(former_variables=(former,))
    (warning,) = checks.check_renamed_variables()
    assert (warning.id, warning.msg) == ("proxy_site.W001", f"{former} is called {name} now.")


def test_nothing_is_said_of_names_of_today() -> None:
    assert checks.check_renamed_variables() == []
