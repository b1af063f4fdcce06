"""Which fields a refusal calls unsupported or unknown: by `param`, or in a known form of sentence. Pure.

Never a field whose value is refused, and never a word of what was asked: a sentence is read from its start,
in forms that servers are known to have, and what they name has to be a name.
Sources: answers of OpenAI, Azure, Groq, xAI, Google, Anthropic, Mistral, NIM, LiteLLM, vLLM, and of the
libraries that validate for others (pydantic, serde, jsonschema, Go's encoding/json).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backends.errors import RefusedField
from backends.wire.error_text import DEEPEST_QUOTE, LARGEST_QUOTE, decode_body, find_sentence, walk

MOST_NAMED = 8
MOST_READ = 2000
"""Characters of a sentence that are looked at."""


UNSUPPORTED = frozenset(
    {"extra_forbidden", "unknown_field", "unknown_parameter", "unrecognized_parameter"}
    | {"unsupported_field", "unsupported_parameter", "unsupported_parameters", "value_error.extra"}
)
"""What programs are told of such a field, in `code` or `type`."""
_QUOTE = r"[`'\"]?"
_WORD = r"[A-Za-z_][\w.\[\]-]{0,99}(?![\w.\[\]-])"
"""A whole one, so that there is one way only to find where it ends."""
_NAME = rf"{_QUOTE}({_WORD}){_QUOTE}"
_AND = r"(?:,\s{0,9}(?:and\s)?|\s{1,9}and\s{1,9})"
_NAMES = rf"\[?({_QUOTE}{_WORD}{_QUOTE}(?:{_AND}{_QUOTE}{_WORD}{_QUOTE}){{0,{MOST_NAMED - 1}}})\]?"
_NOUN = r"(?:parameter|field|option|argument|property|keyword|key)"
_BEFORE = (
    r"\s*(?:(?:litellm\.)?\w{1,60}(?:Error|Exception): (?:\w{1,60}Exception - )?)?"
    r"(?:Error code: \d{3} - )?(?:Error from provider[^:]{0,60}: )?"
)
_FORMS = [
    rf"(?:json: )?unknown field {_NAME}",
    rf"unsupported (?:{_NOUN}s?|request {_NOUN}s?):? {_NAMES}",
    rf"(?:unknown|unexpected) (?:request )?{_NOUN}s?:? {_NAMES}",
    rf"unrecogni[sz]ed (?:request )?{_NOUN}s?(?: supplied)?: {_NAMES}",
    rf"property {_NAME} is unsupported",
    rf"(?:the )?(?:{_NOUN} )?{_NAME}(?: {_NOUN})? (?:is|are) (?:not (?:yet |currently )?supported|unsupported"
    rf"|not (?:allowed|permitted|accepted|available)|deprecated)(?: (?:with|by|for|on|in) |[.;,]|$)",
    rf"additional properties are not allowed \({_NAMES} (?:was|were) unexpected\)",
    rf"{_NAME}: extra (?:inputs|fields) (?:are )?not permitted",
    rf"body -> {_NAME}\s+extra (?:inputs|fields) (?:are )?not permitted",
    rf"\S{{1,100}}(?: \S{{1,100}})? (?:does not|doesn't) support (?:the )?{_NOUN}s?:? {_NAMES}",
    rf"\S{{1,100}}(?: \S{{1,100}})? (?:does not|doesn't) support (?:the )?{_NAME} {_NOUN}",
    rf"{_NOUN}s? not supported (?:on|by|with|for) this model: {_NAMES}",
    rf"unsupported value: {_NAME} does not support .{{1,60}} with this model\. only the default",
]
_PREFIX = re.compile(_BEFORE, re.IGNORECASE)
_SENTENCES = [re.compile(_BEFORE + form, re.IGNORECASE | re.DOTALL) for form in _FORMS]
_SCHEMA = [
    re.compile(_BEFORE + form, re.IGNORECASE | re.DOTALL)
    for form in (
        rf"invalid schema for function .{{1,100}}?: .{{0,300}}?(?<!\w){_NAME} is not"
        r" (?:permitted|supported|allowed)",
        rf"(?:unsupported|unknown|unrecogni[sz]ed) (?:json )?schema keywords?:? {_NAME}",
        rf"(?:json )?schema keyword:? {_NAME} is not supported",
        rf"(?:json )?schema (?:contains|has|uses) (?:an )?unsupported keyword:? {_NAME}",
    )
]
_AT = re.compile(
    rf"{_BEFORE}invalid json payload received\. unknown name {_NAME}(?: at {_NAME})?: cannot find field",
    re.IGNORECASE,
)
_ROLES = [
    re.compile(_BEFORE + form, re.IGNORECASE)
    for form in (
        r"unsupported value: 'messages\[\d+\]\.role' does not support '(\w{1,20})'",
        r"'(\w{1,20})' is not one of \[.{1,200}\] - 'messages\.\d+\.role'",
        r"(?:invalid|unsupported|unknown|unexpected) (?:message )?role:? ?[`'\"]?(\w{1,20})?",
        r"(?:the )?(?:message )?role:? [`'\"]?(\w{1,20})[`'\"]? is not supported",
        r"(?:the )?[`'\"]?(\w{1,20})[`'\"]? (?:message )?role is not supported",
        r"(\w{1,20}) role not supported",
    )
]
# What is said of a value, not of a field.
_OF_VALUES = re.compile(
    r"\b(?:values? (?!is not a)|between|range|less than|greater than|at (?:most|least)|must be|maximum"
    r"|minimum"
    r"|too (?:large|small|high|low|long))",
    re.IGNORECASE,
)
_ONLY_THE_DEFAULT = "only the default"
_LISTS = (
    ("detail",),
    ("error", "detail"),
    ("error", "details"),
    ("errors",),
    ("message", "detail"),
    ("issues",),
)
_EXTRA = re.compile(r"extra (?:inputs|fields) (?:are )?not permitted|unrecogni[sz]ed key", re.IGNORECASE)


def find_fields(decoded: Any, code: str, param: str) -> tuple[RefusedField, ...]:
    """List what a 400 or 422 calls unsupported. `decoded`: its body or error as decoded, or text."""
    sentences = list(_sentences_of(decoded))
    found = [*_find_in_lists(decoded), *_find_by_param(sentences, code, param)]
    for sentence in sentences:
        found += _find_in_sentence(sentence)
    return tuple(dict.fromkeys(found))[:MOST_NAMED]


def _sentences_of(decoded: Any) -> Iterator[str]:
    """Give the sentence as it was told, or that of the error which is all of it; never one that it quotes."""
    sentence = (
        (find_sentence(decoded, depth=DEEPEST_QUOTE) or "").strip()
        if not isinstance(decoded, str)
        else decoded
    )
    start = _PREFIX.match(sentence)
    text = sentence[start.end() :] if start else sentence
    yield sentence[:MOST_READ]
    for quoted in (text, walk(decoded, ("error", "metadata", "raw"))):
        if isinstance(quoted, str) and quoted.startswith(("{", "[")) and len(quoted) <= LARGEST_QUOTE:
            inner = decode_body(quoted.encode("utf-8", "replace"))
            yield (find_sentence(inner, depth=DEEPEST_QUOTE) or "")[:MOST_READ]


def _find_by_param(sentences: list[str], code: str, param: str) -> Iterator[RefusedField]:
    lowered = code.lower()
    if not param:
        return
    if _is_role(param):
        if lowered in UNSUPPORTED or lowered == "unsupported_value":
            yield from (field for sentence in sentences for field in _find_role(sentence))
    elif lowered in UNSUPPORTED or (
        lowered == "unsupported_value" and any(_ONLY_THE_DEFAULT in one.lower() for one in sentences)
    ):
        yield place_of(param)


def _find_in_lists(decoded: Any) -> Iterator[RefusedField]:
    """Read lists of what is wrong, each with its place and its kind, as pydantic has them."""
    for path in _LISTS:
        listed = walk(decoded, path)
        for item in listed[:MOST_NAMED] if isinstance(listed, list) else ():
            kind, text, place = (walk(item, (name,)) for name in ("type", "msg", "loc"))
            steps = [str(step) for step in place] if isinstance(place, list) else []
            steps = steps[1:] if steps[:1] == ["body"] else steps
            if steps and (kind in UNSUPPORTED or (isinstance(text, str) and _EXTRA.match(text))):
                yield place_of(".".join(steps))
            elif steps[:1] == ["messages"] and steps[-1:] == ["role"]:
                value = walk(item, ("input",))
                yield RefusedField("role", value if isinstance(value, str) else "")


def _find_in_sentence(sentence: str) -> Iterator[RefusedField]:
    at = _AT.match(sentence)
    if at is not None:
        is_inside = bool(at[2]) and at[2].lower() not in ("generation_config", "generationconfig")
        if not is_inside or "tool" in at[2] or "schema" in at[2]:
            yield RefusedField("schema" if is_inside else "body", at[1])
        return
    for form in _SCHEMA:
        if found := form.match(sentence):
            yield RefusedField("schema", found[1])
            return
    yield from _find_role(sentence)
    for form in _SENTENCES:
        found = form.match(sentence)
        if found is None:
            continue
        if _ONLY_THE_DEFAULT in found[0].lower() or not _OF_VALUES.search(sentence):
            names = re.findall(r"[A-Za-z_][\w.\[\]-]*", re.sub(r"\band\b", " ", found[1]))
            yield from (place_of(name) for name in names)
            if sentence.startswith("body -> "):  # NIM tells all of them in one sentence
                yield from (
                    place_of(name) for name in re.findall(r"body -> ([\w.]{1,100})\s+extra", sentence, re.I)
                )
        return


def _find_role(sentence: str) -> Iterator[RefusedField]:
    for form in _ROLES:
        if found := form.match(sentence):
            yield RefusedField("role", (found[1] or "").lower())
            return


def _is_role(path: str) -> bool:
    return path.startswith(("messages", "input")) and path.endswith("role")


def place_of(path: str) -> RefusedField:
    """Say where a field of this path stands: `temperature`, `tools[0].function.parameters.format`."""
    steps = [step for step in re.split(r"[.\[\]]+", path) if step]
    if _is_role(path):
        return RefusedField("role", "")
    if steps and steps[0] in ("tools", "functions") and len(steps) > 1:
        return RefusedField("schema", steps[-1])
    return RefusedField("body", ".".join(steps))
