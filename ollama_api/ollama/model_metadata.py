"""What lists tell of a model, and what tags, show and ps share. Pure.

The operator's word wins, then a probe's, the backend's, our table's, and a rule over the name; nothing else
is made up (`backends.routing.knowledge`), and what an Ollama tells is told as it is. That a model is served
elsewhere is said honestly, in `remote_model` and `remote_host`, as Ollama does itself.
"""

from __future__ import annotations

import hashlib
import re

from backends.routing import knowledge
from backends.routing.snapshot import MappingRules
from backends.wire.ollama_models import OllamaDetails
from core.model_names import show_with_tag, strip_tag
from gateway.model_list import DescribedModel
from ollama_api.json_encoding import rfc3339
from ollama_api.ollama.modelfile import write_modelfile
from ollama_api.ollama.types import Details, ModelEntry, Recommendation

FAMILY = re.compile(r"[a-z]+\d*")
SIZE_IN_NAME = re.compile(r"(?<![a-z0-9])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")

MOST_UNMARKED = 5
"""Models that are recommended where no operator said which."""


def capabilities(model: DescribedModel) -> list[str]:
    """List what a model can do: the operator's list as it stands, else what is known or guessed."""
    if model.rule.capabilities:
        return list(model.rule.capabilities)
    found = knowledge.abilities(model.rule, model.target, model.card)
    return [word for word, fact in found.items() if fact.can]


def digest(model: DescribedModel) -> str:
    """A stable identity: 64 hex digits, without prefix.

    An Ollama's own where the mapping adds nothing to its model; else of the alias and where it leads.
    """
    if model.card and model.card.digest and not _adds_something(model.rule):
        return model.card.digest
    identity = f"{show_with_tag(model.name).lower()}\n{model.target.upstream.name}\n{model.target.model}"
    return hashlib.sha256(identity.encode()).hexdigest()


def _adds_something(rule: MappingRules) -> bool:
    return any((rule.system, rule.options, rule.forced_options, rule.messages, rule.template, rule.license))


def tags_entry(model: DescribedModel) -> ModelEntry:
    """Describe a model for /api/tags."""
    return ModelEntry(
        name=show_with_tag(model.name),
        model=show_with_tag(model.name),
        remote_model=model.target.model,
        remote_host=model.target.upstream.name,
        modified_at=format_modified_at(model.rule),
        size=_size(model),
        digest=digest(model),
        details=read_details(model, lengths=True),
        capabilities=capabilities(model),
    )


def ps_entry(model: DescribedModel, expires_at_ns: int) -> ModelEntry:
    """Describe a model in use for /api/ps."""
    return ModelEntry(
        name=show_with_tag(model.name),
        model=show_with_tag(model.name),
        size=_size(model),
        digest=digest(model),
        details=read_details(model, lengths=False),
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
    limit = {**model.rule.options, **model.rule.forced_options}.get("num_predict")
    if isinstance(limit, int) and limit > 0:
        return limit
    return (model.card.max_output if model.card else None) or 0


def context_length(model: DescribedModel) -> int | None:
    """Give the context length in tokens, if anybody knows it."""
    found = knowledge.context_length(model.rule, model.card)
    return found.value if found else None


def embedding_length(model: DescribedModel) -> int | None:
    """Give the length of the vectors, if anybody knows it."""
    found = knowledge.embedding_length(model.target, model.card)
    return found.value if found else None


def read_details(model: DescribedModel, *, lengths: bool) -> Details:
    """Give the details: the mapping's own, those that an Ollama tells, or what is known otherwise."""
    configured, reported = model.rule.details, _take_details(model)
    return Details(
        parent_model=reported.parent_model,
        format=reported.format,
        family=configured.family or reported.family,
        families=[configured.family] if configured.family else list(reported.families),
        parameter_size=configured.parameter_size or reported.parameter_size,
        quantization_level=configured.quantization_level or reported.quantization_level,
        description=configured.description,
        context_length=(context_length(model) or 0) if lengths else 0,
        embedding_length=(embedding_length(model) or 0) if lengths else 0,
    )


def _take_details(model: DescribedModel) -> OllamaDetails:
    """Give the details as the backend tells them if it is an Ollama, else written as one would."""
    card = model.card
    if card is not None and card.details is not None:
        return card.details
    family = family_of(model)
    return OllamaDetails(
        format="gguf",
        family=family,
        families=(family,) if family else (),
        parameter_size=_parameter_size(model),
        quantization_level=card.quantisation if card else "",
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
    return known or len(write_modelfile(model).encode())


def family_of(model: DescribedModel) -> str:
    """Give the family that somebody tells, or what the name begins with; empty if that is no word."""
    family = model.rule.details.family or (model.card.architecture if model.card else "")
    if family:
        return family
    found = FAMILY.match(knowledge.last_part(model.target.model))
    return found.group() if found else ""


def format_modified_at(rule: MappingRules) -> str:
    """Tell when a mapping was changed."""
    return rfc3339(int(rule.changed_at * 1e6) * 1000)
