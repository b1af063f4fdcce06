"""Templates of prompts: those that are told and taken here, where the backend applies its own. Pure.

An Ollama server whose remote model points here sends its default template with every /api/generate, and other
clients send back what /api/show told them. Neither wishes for anything.
"""

from __future__ import annotations

PLAIN_TEMPLATE = "{{ .Prompt }}"
"""Ollama's own default. Source: v0.33 `server/create.go`, `template/template.go` (DefaultTemplate)."""
WITH_TOOLS = "{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}"
"""Told of models with tools: clients look for .Tools in it."""


def is_idle_template(template: str, of_mapping: str) -> bool:
    """Say whether a client's template changes nothing: it is a default, or what the mapping shows."""
    return _squeeze(template) in {_squeeze(known) for known in (PLAIN_TEMPLATE, WITH_TOOLS, of_mapping)}


def _squeeze(template: str) -> str:
    """Take out the spaces: `{{.Prompt}}` is written in both ways."""
    return "".join(template.split())
