"""What tags, show and ps tell of a model. Pure.

The operator's word wins, then a probe's, the backend's, our table's, and a rule over the name; nothing else
is made up (`backends.routing.knowledge`). That a model is served elsewhere is said honestly, in
`remote_model` and `remote_host`, as Ollama does itself.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from backends.routing import knowledge
from backends.routing.snapshot import MappingRules
from core.model_names import show_with_tag, strip_tag
from gateway.model_list import DescribedModel
from ollama_api.json_encoding import rfc3339
from ollama_api.ollama.types import Details, ModelEntry, Recommendation, ShowReply

FAMILY = re.compile(r"[a-z]+\d*")
SIZE_IN_NAME = re.compile(r"(?<![a-z0-9])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")

MOST_UNMARKED = 5
"""Models that are recommended where no operator said which."""
UNKNOWN = "unknown"
"""The architecture where nobody knows it: clients look for the context length behind its name."""
PLAIN_TEMPLATE = "{{ .Prompt }}"
WITH_TOOLS = "{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}"


def capabilities(model: DescribedModel) -> list[str]:
    """List what a model can do: the operator's list as it stands, else what is known or guessed."""
    if model.rule.capabilities:
        return list(model.rule.capabilities)
    found = knowledge.abilities(model.rule, model.target, model.card)
    return [word for word, fact in found.items() if fact.can]


def digest(model: DescribedModel) -> str:
    """A stable identity of the alias and where it leads: 64 hex digits, without prefix."""
    identity = f"{show_with_tag(model.name).lower()}\n{model.target.upstream.name}\n{model.target.model}"
    return hashlib.sha256(identity.encode()).hexdigest()


def tags_entry(model: DescribedModel) -> ModelEntry:
    """Describe a model for /api/tags."""
    return ModelEntry(
        name=show_with_tag(model.name),
        model=show_with_tag(model.name),
        remote_model=model.target.model,
        remote_host=model.target.upstream.name,
        modified_at=_format_modified_at(model.rule),
        size=_size(model),
        digest=digest(model),
        details=_details(model, lengths=True),
        capabilities=capabilities(model),
    )


def ps_entry(model: DescribedModel, expires_at_ns: int) -> ModelEntry:
    """Describe a model in use for /api/ps."""
    return ModelEntry(
        name=show_with_tag(model.name),
        model=show_with_tag(model.name),
        size=_size(model),
        digest=digest(model),
        details=_details(model, lengths=False),
        expires_at=rfc3339(expires_at_ns),
        size_vram=_size(model),
        context_length=context_length(model) or 0,
    )


def choose_recommendations(models: list[DescribedModel]) -> list[DescribedModel]:
    """Choose the mappings that operators marked, in their order; if none is, the first that were made.

    Patterns are no names to choose. Names that end in `cloud` are left out: menus hide those, or sign in.
    """
    exact = [one for one in models if not one.rule.is_wildcard and not _looks_like_cloud(one.name)]
    marked = [one for one in exact if one.rule.details.recommended is not None]
    if marked:
        return sorted(marked, key=lambda one: (one.rule.details.recommended, one.rule.number))
    able = (one for one in exact if "completion" in capabilities(one))
    return sorted(able, key=lambda one: one.rule.number)[:MOST_UNMARKED]


def _looks_like_cloud(name: str) -> bool:
    return strip_tag(name).lower().endswith("cloud")


def recommendation(model: DescribedModel) -> Recommendation:
    """Describe a model for menus, under the name that tags has."""
    return Recommendation(
        model=show_with_tag(model.name),
        description=model.rule.details.description,
        context_length=context_length(model) or 0,
        max_output_tokens=_max_output(model),
    )


def _max_output(model: DescribedModel) -> int:
    """Tell how many tokens an answer may have: by the operator, else by the backend; 0 if nobody knows."""
    said = {**model.rule.options, **model.rule.forced_options}.get("num_predict")
    if isinstance(said, int) and said > 0:
        return said
    return (model.card.max_output if model.card else None) or 0


def show_reply(model: DescribedModel, basename: str | None = None) -> ShowReply:
    """Describe a model for /api/show. `basename` overrides the name in its `model_info`."""
    return ShowReply(
        modelfile=modelfile(model),
        parameters=_parameters(model.rule),
        template=model.rule.template or _template(model),
        license=model.rule.license,
        messages=list(model.rule.messages),
        system=model.rule.system,
        details=_details(model, lengths=False),
        remote_model=model.target.model,
        remote_host=model.target.upstream.name,
        model_info=_model_info(model, basename or model.name),
        capabilities=capabilities(model),
        modified_at=_format_modified_at(model.rule),
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


def context_length(model: DescribedModel) -> int | None:
    """Give the context length in tokens, if anybody knows it."""
    found = knowledge.context_length(model.rule, model.card)
    return found.value if found else None


def embedding_length(model: DescribedModel) -> int | None:
    """Give the length of the vectors, if anybody knows it."""
    found = knowledge.embedding_length(model.target, model.card)
    return found.value if found else None


def modelfile(model: DescribedModel) -> str:
    """Write the alias as a Modelfile."""
    lines = ['# Modelfile generated by "ollama show"', f"FROM {show_with_tag(model.name)}"]
    lines += [f"PARAMETER {name} {value}" for name, value in _parameter_pairs(model.rule)]
    lines += [f"{word} {_quote(text)}" for word, text in _texts(model.rule) if text]
    lines += [f"MESSAGE {turn['role']} {_quote(turn['content'])}" for turn in model.rule.messages]
    return "\n".join(lines) + "\n"


def _texts(rule: MappingRules) -> list[tuple[str, str]]:
    return [("TEMPLATE", rule.template), ("SYSTEM", rule.system), ("LICENSE", rule.license)]


def _quote(text: str) -> str:
    """Quote only where a Modelfile needs it. Source: Ollama `parser/parser.go`, quote."""
    if "\n" not in text and text == text.strip(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def _parameters(rule: MappingRules) -> str:
    """Source: Ollama `server/images.go`: the key padded to 30, a space, the value."""
    return "\n".join(f"{name:<30} {value}" for name, value in _parameter_pairs(rule))


def _parameter_pairs(rule: MappingRules) -> list[tuple[str, str]]:
    return [
        (name, msgspec.json.encode(item).decode())
        for name, value in {**rule.options, **rule.forced_options}.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _model_info(model: DescribedModel, basename: str) -> dict[str, str | int]:
    family = _family(model) or UNKNOWN
    card = model.card
    numbers = {
        "general.parameter_count": card.parameters if card else None,
        f"{family}.context_length": context_length(model),
        f"{family}.embedding_length": embedding_length(model),
    }
    known = {name: value for name, value in numbers.items() if value}
    return {"general.architecture": family, "general.basename": basename, **known}


def _details(model: DescribedModel, *, lengths: bool) -> Details:
    family, said = _family(model), model.rule.details
    return Details(
        parent_model="",
        format="gguf",
        family=family,
        families=[family] if family else [],
        parameter_size=said.parameter_size or _parameter_size(model),
        quantization_level=said.quantization_level or (model.card.quantisation if model.card else ""),
        description=said.description,
        context_length=(context_length(model) or 0) if lengths else 0,
        embedding_length=(embedding_length(model) or 0) if lengths else 0,
    )


def _parameter_size(model: DescribedModel) -> str:
    """Say it as Ollama does: 8.0B, 270M."""
    count = model.card.parameters if model.card else None
    if count:
        return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"
    names = (knowledge.last_part(name) for name in (model.target.model, model.name))
    found = next((size for name in names if (size := SIZE_IN_NAME.search(name))), None)
    return found.group(1) + found.group(2).upper() if found else ""


def _size(model: DescribedModel) -> int:
    """Count the weights' bytes where the backend tells, else those of the alias's own description.

    Ollama does the latter for its cloud models: never zero, never invented.
    """
    known = model.card.size if model.card else None
    return known or len(modelfile(model).encode())


def _family(model: DescribedModel) -> str:
    """Give the family that somebody tells, or what the name begins with; empty if that is no word."""
    told = model.rule.details.family or (model.card.architecture if model.card else "")
    if told:
        return told
    found = FAMILY.match(knowledge.last_part(model.target.model))
    return found.group() if found else ""


def _format_modified_at(rule: MappingRules) -> str:
    return rfc3339(int(rule.changed_at * 1e6) * 1000)
