"""Configuration files, applied and exported as an operator does it."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from accounts.models import ClientKey, Team
from backends.models import Backend, Credential, MappingTarget, ModelMapping
from core import revisions

API_KEY = "sk-api-key-of-a-backend-0001"
SPARE_KEY = "sk-api-key-of-a-backend-0002"
CLIENT_KEY = "client-key-0123456789abcdefghijklmnopqrs"
OTHER_CLIENT_KEY = "other-client-key-0123456789abcdefghijkl"
SECRETS = (API_KEY, SPARE_KEY, CLIENT_KEY, OTHER_CLIENT_KEY)

FULL = """
version: 1
backends:
  - name: local
    base_url: http://127.0.0.1:8000/v1/
    dialect: vllm
    api_keys:
      - {label: main, env: T_API_KEY}
      - {label: spare, file: spare.txt}
    notes: "Behind the stairs.\\nSecond shelf."
  - name: far
    base_url: https://far.example/v1
    enabled: false
    verify_tls: false
mappings:
  - name: "*"
    targets:
      - {backend: local}
      - {backend: far, model: far-*, priority: 2, weight: 7, enabled: false}
    system: |
      You are terse.
      And kind.
    options: {temperature: 0.2, stop: ["a", "1e3"], nested: {deep: [true, null]}}
    forced_options: {seed: 1}
    capabilities: [completion, tools]
    context_length: 32768
    messages:
      - {role: user, content: "Are you there?"}
      - role: assistant
        content: |
          Yes.
          And you?
    template: "{{ .Prompt }}"
    license: |
      Do as you like.
      Blame nobody.
    family: qwen3
    parameter_size: 70B
    quantization_level: Q4_K_M
    description: "For all: of us."
    show_backend_texts: true
  - name: Qwen:latest
    targets: [{backend: local, model: qwen3, weight: 10}]
    enabled: false
teams:
  - name: local
    models: ["qwen*"]
  - name: research
    keys:
      - {name: ci, key: {env: T_CLIENT_KEY}, rights: [manage_models], expires_at: 2099-01-31}
"""


class Files:
    """Writes a configuration and applies it, as an operator would."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("T_API_KEY", API_KEY)
        monkeypatch.setenv("T_CLIENT_KEY", CLIENT_KEY)
        (folder / "spare.txt").write_text(f"{SPARE_KEY}\n")

    def write(self, text: str | dict[str, Any]) -> Path:
        path = self.folder / "llamagate.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump({"version": 1, **text}))
        return path

    def apply(self, text: str | dict[str, Any], *flags: str) -> list[str]:
        out = io.StringIO()
        call_command("apply", str(self.write(text)), *flags, stdout=out)
        return out.getvalue().splitlines()

    def refused(self, text: str | dict[str, Any], *flags: str) -> list[str]:
        """Apply what cannot be applied; give the problems, and see that nothing was written."""
        before = everything()
        with pytest.raises(CommandError) as caught:
            self.apply(text, *flags)
        assert everything() == before
        first, *problems = str(caught.value).splitlines()
        assert first == f"Nothing was changed, because of {self.folder / 'llamagate.yaml'}:"
        return [problem.strip() for problem in problems]


def export() -> str:
    out = io.StringIO()
    call_command("export", stdout=out)
    return out.getvalue()


def everything() -> dict[str, list[dict[str, Any]]]:
    """Give every row that a file could change, seals included."""
    models = (Backend, Credential, ModelMapping, MappingTarget, Team, ClientKey, revisions.ConfigRevision)
    rows = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}
    for row in rows["Credential"]:
        row["secret"] = row["secret"].token
    return rows


def credential(label: str = "main", backend: str = "local") -> Credential:
    return Credential.objects.get(backend__name=backend, label=label, retired_at=None)


def team_with(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"teams": [{"name": "research", "keys": list(entries)} | fields]}
