"""From plain data to YAML that people like to read and `reading` reads back unchanged."""

from __future__ import annotations

from typing import Any

import yaml

from console.configfile.yaml_reader import EXPONENT, FLOAT, NUMBER_STARTS


class OneLine(dict[str, Any]):
    """An object in braces."""


class OneLineList(list[Any]):
    """A list in brackets."""


class Dumper(yaml.SafeDumper):
    """The safe dumper, with lists indented under their name."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists too."""
        super().increase_indent(flow, False)


def _one_line(dumper: Dumper, data: OneLine) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


def _one_line_list(dumper: Dumper, data: OneLineList) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


def _text(dumper: Dumper, data: str) -> yaml.ScalarNode:
    """Write several lines as several lines.

    Not if blank lines end them: after such a block PyYAML ends the document, and more sections follow here.
    """
    style = None if "\n" not in data else '"' if f"\n{data}".endswith("\n\n") else "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


Dumper.add_representer(OneLine, _one_line)
Dumper.add_representer(OneLineList, _one_line_list)
Dumper.add_representer(str, _text)
# What the reader takes for a number has to be quoted if it is text.
Dumper.add_implicit_resolver(FLOAT, EXPONENT, NUMBER_STARTS)


def write_yaml(data: dict[str, Any]) -> str:
    """Give the data as YAML, in the order in which it stands."""
    text: str = yaml.dump(
        data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    return text
