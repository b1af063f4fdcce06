"""What tags, show and ps tell of a model. Pure.

The operator's word wins, then the backend's, then a rule over the name; nothing else is made up. That a
model is served elsewhere is said honestly, in `remote_model` and `remote_host`, as Ollama does itself.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from backends.routing.names import DEFAULT_TAG
from backends.routing.snapshot import Rule, Target
from backends.wire.cards import ModelCard
from ollama_api.types import Details, ModelEntry, ShowReply
from ollama_api.wire import rfc3339

FAMILY = re.compile(r"[a-z]+\d*")
SIZE_IN_NAME = re.compile(r"(?<![a-z0-9])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")
# Rules over the last part of a backend's model id, for servers that tell nothing. Guesses: the operator's
# `capabilities` outrank them.
EMBEDDING = re.compile(r"embed|bge-|gte-|e5-|minilm|jina-emb|voyage|stella|arctic-embed")
VISION = re.compile(
    r"-vl\b|vision|llava|pixtral|gemma-?[34](?!.*(270m|1b))|gpt-4o|gpt-4\.1|gpt-5|^o[134]\b(?!-mini)|claude|gemini|"
    r"llama-?4|minicpm-v|internvl|qwen.*vl|mistral-small-3|grok-4"
)
THINKING = re.compile(
    r"^o[134]\b|gpt-5(?!.*chat)|gpt-oss|-r1\b|qwq|qwen-?3(?!.*(coder|instruct))|(?<!non-)(thinking|reason)|magistral|"
    r"deepseek-(v4|reasoner|r1)|grok-3-mini|grok-4(?!.*non-)|gemini-(2\.5|3)|glm-4\.[5-9]|kimi-k2"
)

PLAIN_TEMPLATE = "{{ .Prompt }}"
WITH_TOOLS = "{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}"


class Described(msgspec.Struct, frozen=True):
    """One name that clients may use, the target that describes it, and what its backend says of that."""

    name: str
    rule: Rule
    target: Target
    card: ModelCard | None


def tagged(name: str) -> str:
    """Show a name with its tag, as Ollama's lists do: clients add `:latest` to a name without one."""
    return name if ":" in name.rpartition("/")[2] else name + DEFAULT_TAG


def capabilities(model: Described) -> list[str]:
    """List what a model can do."""
    if model.rule.capabilities:
        return list(model.rule.capabilities)
    name = _last_part(model.target.model)
    if EMBEDDING.search(name):
        return ["embedding"]
    found = ["completion", "tools"]
    modalities = model.card.modalities if model.card else ()
    if "image" in modalities or (not modalities and VISION.search(name)):
        found.append("vision")
    supported = model.card.supported if model.card else ()
    if {"reasoning", "include_reasoning"} & set(supported) or (not supported and THINKING.search(name)):
        found.append("thinking")
    return found


def digest(model: Described) -> str:
    """A stable identity of the alias and where it leads: 64 hex digits, without prefix."""
    identity = f"{tagged(model.name).lower()}\n{model.target.upstream.name}\n{model.target.model}"
    return hashlib.sha256(identity.encode()).hexdigest()


def tags_entry(model: Described) -> ModelEntry:
    """Describe a model for /api/tags."""
    return ModelEntry(
        name=tagged(model.name),
        model=tagged(model.name),
        remote_model=model.target.model,
        remote_host=model.target.upstream.name,
        modified_at=_modified_at(model.rule),
        size=_size(model),
        digest=digest(model),
        details=_details(model, lengths=True),
        capabilities=capabilities(model),
    )


def ps_entry(model: Described, expires_at_ns: int) -> ModelEntry:
    """Describe a model in use for /api/ps."""
    return ModelEntry(
        name=tagged(model.name),
        model=tagged(model.name),
        size=_size(model),
        digest=digest(model),
        details=_details(model, lengths=False),
        expires_at=rfc3339(expires_at_ns),
        size_vram=_size(model),
        context_length=context_length(model) or 0,
    )


def show_reply(model: Described, basename: str | None = None) -> ShowReply:
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
        modified_at=_modified_at(model.rule),
    )


def _template(model: Described) -> str:
    """Give a template where nobody wrote one: the backend applies its own. Clients look for .Tools in it."""
    return WITH_TOOLS if "tools" in capabilities(model) else PLAIN_TEMPLATE


def context_length(model: Described) -> int | None:
    """Give the context length in tokens, if anybody knows it."""
    return model.rule.context_length or (model.card.context_length if model.card else None)


def modelfile(model: Described) -> str:
    """Write the alias as a Modelfile."""
    lines = ['# Modelfile generated by "ollama show"', f"FROM {tagged(model.name)}"]
    lines += [f"PARAMETER {name} {value}" for name, value in _parameter_pairs(model.rule)]
    lines += [f"{word} {_quoted(text)}" for word, text in _texts(model.rule) if text]
    lines += [f"MESSAGE {turn['role']} {_quoted(turn['content'])}" for turn in model.rule.messages]
    return "\n".join(lines) + "\n"


def _texts(rule: Rule) -> list[tuple[str, str]]:
    return [("TEMPLATE", rule.template), ("SYSTEM", rule.system), ("LICENSE", rule.license)]


def _quoted(text: str) -> str:
    """Quote only where a Modelfile needs it. Source: Ollama `parser/parser.go`, quote."""
    if "\n" not in text and text == text.strip(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def _parameters(rule: Rule) -> str:
    """Source: Ollama `server/images.go`: the key padded to 30, a space, the value."""
    return "\n".join(f"{name:<30} {value}" for name, value in _parameter_pairs(rule))


def _parameter_pairs(rule: Rule) -> list[tuple[str, str]]:
    return [
        (name, msgspec.json.encode(item).decode())
        for name, value in {**rule.options, **rule.forced_options}.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _model_info(model: Described, basename: str) -> dict[str, str | int]:
    family = _family(model)
    card = model.card
    numbers = {
        "general.parameter_count": card.parameters if card else None,
        f"{family}.context_length": context_length(model),
        f"{family}.embedding_length": card.embedding_length if card else None,
    }
    known = {name: value for name, value in numbers.items() if value}
    return {"general.architecture": family, "general.basename": basename, **known}


def _details(model: Described, *, lengths: bool) -> Details:
    family = _family(model)
    return Details(
        parent_model="",
        format="gguf",
        family=family,
        families=[family],
        parameter_size=_parameter_size(model),
        quantization_level="unknown",
        context_length=(context_length(model) or 0) if lengths else 0,
        embedding_length=(model.card.embedding_length or 0) if lengths and model.card else 0,
    )


def _parameter_size(model: Described) -> str:
    """Say it as Ollama does: 8.0B, 270M."""
    count = model.card.parameters if model.card else None
    if count:
        return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"
    found = SIZE_IN_NAME.search(_last_part(model.target.model))
    return found.group(1) + found.group(2).upper() if found else ""


def _size(model: Described) -> int:
    """Count the weights' bytes where the backend tells, else those of the alias's own description.

    Ollama does the latter for its cloud models: never zero, never invented.
    """
    known = model.card.size if model.card else None
    return known or len(modelfile(model).encode())


def _family(model: Described) -> str:
    found = FAMILY.match(_last_part(model.target.model))
    return found.group() if found else "unknown"


def _last_part(model_id: str) -> str:
    return model_id.rpartition("/")[2].lower()


def _modified_at(rule: Rule) -> str:
    return rfc3339(int(rule.changed_at * 1e6) * 1000)
