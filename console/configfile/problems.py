"""What is wrong with a configuration file: a place in it, and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One fault. Never holds a secret: values are not repeated."""

    path: str
    """Such as `mappings[2].targets[0].backend`, or `line 7` of what is not even YAML."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """The file cannot be applied, for all of these reasons."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def refuse(path: str, message: str) -> ConfigError:
    """Make the error of one problem, to be raised."""
    return ConfigError([Problem(path, message)])
