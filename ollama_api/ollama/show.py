"""What /api/show tells of a model. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.model_list import DescribedModel
from gateway.templates import PLAIN_TEMPLATE, WITH_TOOLS
from ollama_api.ollama import modelfile
from ollama_api.ollama.model_metadata import (
    capabilities,
    context_length,
    embedding_length,
    family_of,
    format_modified_at,
    read_details,
)
from ollama_api.ollama.types import ShowReply

UNKNOWN = "unknown"
"""The architecture where nobody knows it: clients look for the context length behind its name."""


def show_reply(model: DescribedModel, basename: str | None = None) -> ShowReply:
    """Describe a model for /api/show. `basename` overrides the name in its `model_info`."""
    texts = modelfile.read_texts(model)
    return ShowReply(
        modelfile=modelfile.write_modelfile(model),
        parameters=modelfile.write_parameters(model),
        template=texts["template"] or _template(model),
        license=texts["license"],
        messages=modelfile.read_messages(model),
        system=texts["system"],
        details=read_details(model, lengths=False),
        remote_model=model.target.model,
        remote_host=model.target.upstream.name,
        model_info=_model_info(model, basename),
        projector_info=modelfile.read_backend(model).projector_info,
        capabilities=capabilities(model),
        modified_at=format_modified_at(model.rule),
    )


def overlay_mapping(model: DescribedModel, system: str, options: dict[str, Any]) -> DescribedModel:
    """Describe what a model would be with this system prompt and these options: `/set` of the command line.

    Source: Ollama `server/routes.go:GetModelInfo`.
    """
    if not system and not options:
        return model
    rule = msgspec.structs.replace(
        model.rule, system=system or model.rule.system, options={**model.rule.options, **options}
    )
    return msgspec.structs.replace(model, rule=rule)


def _template(model: DescribedModel) -> str:
    """Give a template where nobody wrote one: the backend applies its own. Clients look for .Tools in it."""
    return WITH_TOOLS if "tools" in capabilities(model) else PLAIN_TEMPLATE


def _model_info(model: DescribedModel, basename: str | None) -> dict[str, Any]:
    reported = modelfile.read_backend(model).model_info
    if not reported:
        return _make_model_info(model, basename or model.name)
    info = dict(reported)
    if model.rule.context_length:
        info[f"{info.get('general.architecture', UNKNOWN)}.context_length"] = model.rule.context_length
    if basename:
        info["general.basename"] = basename
    return info


def _make_model_info(model: DescribedModel, basename: str) -> dict[str, Any]:
    """Write what is known as an Ollama would."""
    family = family_of(model) or UNKNOWN
    card = model.card
    numbers = {
        "general.parameter_count": card.parameters if card else None,
        f"{family}.context_length": context_length(model),
        f"{family}.embedding_length": embedding_length(model),
    }
    known = {name: value for name, value in numbers.items() if value}
    return {"general.architecture": family, "general.basename": basename, **known}
