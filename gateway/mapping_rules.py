"""What a mapping adds to a request: system prompt, example turns, default and forced options. Pure.

The only place where that is decided, for every API, translated or passed:

- The system prompt is used when the request brings none, in whatever place its API keeps it: a first system
  or developer turn, `system`, `instructions`. An empty one counts as none, and is replaced. Later system or
  developer turns are conversation.
- Example turns go behind the system prompt, before the conversation.
- Options merge as defaults < client < forced.
- Prompts that no template touches (raw, suffix, completions) have no place for a system prompt or turns; they
  get options. So do embeddings of Ollama's API: `num_ctx` bounds them, and an Ollama takes them all.
  Embeddings that pass and media get nothing: no option of ours has a name there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from backends.routing.snapshot import MappingRules
from gateway.diagnostics import SILENT, Diagnostics
from gateway.generation import GenerationRequest, Prompt
from gateway.operation import EmbeddingRequest, ModelLoad, Operation
from gateway.raw_body import RawBody
from gateway.raw_forms import SYSTEM_ROLES
from gateway.templates import is_idle_template
from gateway.translate.options import merge_options

IDLE_TEMPLATE = "it is a default, or what is told of the model: it changes nothing"
OWN_TURNS = "the mapping's system prompt and example turns"


def apply_rules(rules: MappingRules, operation: Operation, diagnostics: Diagnostics = SILENT) -> None:
    """Apply a mapping's rules to a request, in place. Raises `BadRequest`: an option is of the wrong type."""
    if isinstance(operation, GenerationRequest):
        _apply_to_generation(rules, operation, diagnostics)
    elif isinstance(operation, ModelLoad):
        request = operation.request
        request.options = merge_options(rules.options, request.options, rules.forced_options, diagnostics)
    elif isinstance(operation, EmbeddingRequest):
        operation.options = merge_options(rules.options, operation.options, rules.forced_options, diagnostics)
    elif isinstance(operation, RawBody):
        _apply_to_raw(rules, operation, diagnostics)


def _apply_to_generation(rules: MappingRules, request: GenerationRequest, diagnostics: Diagnostics) -> None:
    if request.options or rules.options or rules.forced_options:
        request.options = merge_options(rules.options, request.options, rules.forced_options, diagnostics)
    if request.think is not None and not request.requires_thinking and rules.rules_out("thinking"):
        request.think = None  # a wish, of a model that is known not to think
    if request.prompt is not None and request.prompt.template:
        _forget_idle_template(rules, request, request.prompt, diagnostics)
    if request.prompt is not None and not request.prompt.is_templated:
        return
    own = "" if request.system else _choose_system(rules, request.turns)
    if own or rules.messages:
        diagnostics.note_added("messages", OWN_TURNS)
    examples: list[Any] = [*rules.messages]
    _place_in_ollama_form(request, own, examples)
    request.turns = _place(request.turns, request.system or own, bool(own), examples, _role_of_turn)
    request.system = request.system or own


def _forget_idle_template(
    rules: MappingRules, request: GenerationRequest, prompt: Prompt, diagnostics: Diagnostics
) -> None:
    """Let a template be none that changes nothing: only an Ollama could take it, and nobody wished for it."""
    if is_idle_template(prompt.template, rules.template):
        request.prompt = msgspec.structs.replace(prompt, template="")
        diagnostics.note_dropped("template", IDLE_TEMPLATE)


def _choose_system(rules: MappingRules, turns: list[dict[str, Any]]) -> str:
    """Give the mapping's system prompt, unless the conversation begins with one."""
    leading = turns[: _count_leading(turns, _role_of_turn)]
    return "" if any(turn["content"] for turn in leading) else rules.system


def _place_in_ollama_form(request: GenerationRequest, own: str, examples: list[Any]) -> None:
    """Do the same to the form for backends that speak Ollama's API.

    A prompt with turns before it becomes a conversation there, unless only a generation can carry it.
    """
    form = request.ollama
    if form is None:
        return
    prompt = request.prompt
    if prompt is None:
        form.messages = _place(form.messages, own, bool(own), examples, _role_of_message)
    elif (examples or prompt.earlier) and not prompt.needs_generation:
        turn = {
            "role": "user",
            "content": prompt.text,
            **({"images": prompt.images} if prompt.images else {}),
        }
        turns = [*prompt.earlier, turn]
        form.messages = _place(turns, request.system or own, False, examples, _role_of_turn)


def _place(
    turns: list[Any], system: str, replaces: bool, examples: list[Any], role_of: Callable[[Any], str]
) -> list[Any]:
    """Put a system prompt first, and examples behind everything that instructs the model."""
    if not system and not examples:
        return turns
    leading = _count_leading(turns, role_of)
    first: list[Any] = [{"role": "system", "content": system}] if system else []
    leading_turns = [] if replaces else turns[:leading]
    return [*first, *leading_turns, *examples, *turns[leading:]]


def _count_leading(turns: list[Any], role_of: Callable[[Any], str]) -> int:
    """Count the system and developer turns at the beginning."""
    return next((at for at, turn in enumerate(turns) if role_of(turn) not in SYSTEM_ROLES), len(turns))


def _role_of_turn(turn: dict[str, Any]) -> str:
    return str(turn["role"])


def _role_of_message(message: Any) -> str:
    return str(message.role)


def _apply_to_raw(rules: MappingRules, body: RawBody, diagnostics: Diagnostics) -> None:
    body.merge_options(rules.options, rules.forced_options)
    form = body.form
    if rules.system and form.turns and not body.has_system and body.set_system(rules.system):
        diagnostics.note_added(form.system or form.turns, OWN_TURNS)
    if rules.messages and body.insert_turns([*rules.messages]):
        diagnostics.note_added(form.turns, OWN_TURNS)
