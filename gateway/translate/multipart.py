"""Multipart forms that pass: read strictly, and written anew with one model, which is the backend's. Pure.

Parsers of forms differ in what they forgive, so that one may see a field where another sees none. What is
sent on leaves no room for that: each part gets a head of one form, and the bytes of its value; what could be
read in two ways is refused. The client's boundary stays.

Source: RFC 7578 (multipart/form-data), RFC 2046 section 5.1.1 (boundaries), RFC 2183 (Content-Disposition).
"""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from backends.wire.dialect import Dialect
from gateway.diagnostics import SILENT, Diagnostics
from gateway.errors import BadRequest
from gateway.translate.routing_members import WHY, is_routing_field

MOST_PARTS = 100
MOST_HEAD_BYTES = 4096
MOST_HEAD_LINES = 16
MODEL = "model"
LISTS = "[]"
"""How the name of a field ends that may stand there several times, as in `image[]`."""

_WORD = r"[!#$&+.^_`|~%'0-9A-Za-z-]"
_TYPE = re.compile(r"multipart/form-data[ \t]*", re.IGNORECASE)
_TYPE_PARAMETER = re.compile(rf';[ \t]*({_WORD}+\*?)=(?:"([^"\\]*)"|([^\s",;]+))[ \t]*')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PLAIN = re.compile(rf"{_WORD}+")
_HEADER_NAME = re.compile(rb"[!#$&+.^_`|~%'*0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DISPOSITION = re.compile(rb"[ \t]*form-data[ \t]*", re.IGNORECASE)
_PARAMETER = re.compile(
    rb';[ \t]*([0-9A-Za-z-]{1,40}\*?)=(?:"([^"]*)"|([!#$&+.^_`|~%\'0-9A-Za-z-]+))[ \t]*', re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}(?:\[[A-Za-z0-9_.-]{0,100}\]){0,4}")
_PART_TYPE = re.compile(rb"[ \t]*[0-9A-Za-z!#$&^_.+-]+/[0-9A-Za-z!#$&^_.+-]+[ -~]{0,200}")
_AS_IT_IS = frozenset({b"7bit", b"8bit", b"binary"})


class Part(msgspec.Struct, frozen=True):
    """A field: its name, what its head says beside it, and where its value stands in the body."""

    name: str
    head: bytes
    start: int
    end: int
    is_file: bool


class Form(msgspec.Struct, frozen=True):
    """A form that can be read in one way only."""

    body: bytes
    boundary: str
    parts: list[Part]
    model: str

    @property
    def content_type(self) -> str:
        """Name the type, with the boundary."""
        quoted = self.boundary if _PLAIN.fullmatch(self.boundary) else f'"{self.boundary}"'
        return f"multipart/form-data; boundary={quoted}"


def parse(body: bytes, content_type: str) -> Form:
    """Take a form apart. Raises `BadRequest`."""
    boundary = _boundary(content_type)
    parts = _parts(body, b"--" + boundary.encode())
    _refuse_repeats(parts)
    part = next((part for part in parts if part.name == MODEL), None)
    model = body[part.start : part.end].decode("utf-8", "replace").strip() if part is not None else ""
    if not model:
        raise BadRequest("model is required")
    return Form(body, boundary, parts, model)


def with_model(form: Form, model: str, dialect: Dialect, diagnostics: Diagnostics = SILENT) -> bytes:
    """Write the form with another model, and without fields by which a client would choose one or a place."""
    view = memoryview(form.body)
    opening, pieces = b"--" + form.boundary.encode() + b"\r\n", []
    for part in form.parts:
        if part.name != MODEL and is_routing_field(part.name, dialect):
            diagnostics.note_dropped(part.name, WHY)
            continue
        value = model.encode() if part.name == MODEL else view[part.start : part.end]
        pieces += [opening, part.head, b"\r\n\r\n", value, b"\r\n"]
    return b"".join([*pieces, opening[:-2], b"--\r\n"])


def _faulty(why: str) -> BadRequest:
    return BadRequest(f"failed to parse multipart form: {why}")


def _boundary(content_type: str) -> str:
    """Find the boundary in a type that has exactly one."""
    begun = _TYPE.match(content_type)
    place, found = begun.end() if begun else 0, []
    while begun and (parameter := _TYPE_PARAMETER.match(content_type, place)):
        place = parameter.end()
        if parameter[1].lower().rstrip("*") == "boundary":
            found.append((parameter[1], parameter[2] or parameter[3] or ""))
    if begun is None or content_type[place:].strip("; \t") or len(found) != 1:
        raise _faulty("no boundary")
    name, value = found[0]
    if name.endswith("*") or not _BOUNDARY.fullmatch(value):
        raise _faulty("no boundary")
    return value


def _parts(body: bytes, delimiter: bytes) -> list[Part]:
    """Read part by part. No value may hold what another parser could take for a delimiter."""
    place = len(delimiter) + (2 if body.startswith(b"\r\n") else 0)
    if body[place - len(delimiter) : place] != delimiter:
        raise _faulty("it does not begin with its boundary")
    parts: list[Part] = []
    while body[place : place + 2] == b"\r\n":
        if len(parts) == MOST_PARTS:
            raise _faulty(f"more than {MOST_PARTS} parts")
        head_end = body.find(b"\r\n\r\n", place, place + MOST_HEAD_BYTES)
        end = body.find(b"\r\n" + delimiter, head_end + 4)
        if head_end < 0 or end < 0:
            raise _faulty("unexpected EOF")
        parts.append(_part(body[place + 2 : head_end], head_end + 4, end))
        _refuse_delimiters(body, head_end + 4, end, delimiter)
        place = end + 2 + len(delimiter)
    if body[place : place + 2] != b"--" or body[place + 2 : place + 4] not in (b"", b"\r\n"):
        raise _faulty("unexpected end of a boundary")
    return parts


def _refuse_delimiters(body: bytes, start: int, end: int, delimiter: bytes) -> None:
    is_first = body.startswith(delimiter, start, end)
    if is_first or any(body.find(line + delimiter, start, end) >= 0 for line in (b"\n", b"\r")):
        raise _faulty("its boundary stands within a part")


def _part(head: bytes, start: int, end: int) -> Part:
    headers = _headers(head)
    name, filename = _disposition(headers.get(b"content-disposition", b""))
    kind = headers.get(b"content-type")
    if kind is not None and (not _PART_TYPE.fullmatch(kind) or kind.strip().lower().startswith(b"multipart")):
        raise _faulty("a part whose type is no type of a file")
    if headers.get(b"content-transfer-encoding", b"binary").strip().lower() not in _AS_IT_IS:
        raise _faulty("a part in another encoding")
    written = b'Content-Disposition: form-data; name="%b"%b' % (name.encode(), filename)
    if name == MODEL:
        return Part(name, written, start, end, bool(filename))
    typed = b"\r\nContent-Type: " + kind.strip() if kind is not None else b""
    return Part(name, written + typed, start, end, bool(filename))


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Read a part's head: one line each, none twice."""
    lines = head.split(b"\r\n")
    if len(lines) > MOST_HEAD_LINES:
        raise _faulty("a head of too many lines")
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        folded = name.lower()
        if not colon or folded in found or not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
            raise _faulty("a head that is not understood")
        found[folded] = value
    return found


def _disposition(value: bytes) -> tuple[str, bytes]:
    """Read the name of a field, and give what says of a file how it is called, to be written behind it."""
    begun = _DISPOSITION.match(value)
    place, found = begun.end() if begun else 0, {}
    while begun and (parameter := _PARAMETER.match(value, place)):
        place, name = parameter.end(), parameter[1].lower()
        parsed = parameter[2] if parameter[2] is not None else parameter[3]
        # A quotation mark behind a backslash ends the value for some and not for others.
        if name in found or parsed.endswith(b"\\"):
            raise _faulty("a Content-Disposition that is not understood")
        found[name] = parsed
    named = found.get(b"name", b"").decode("latin1")
    if begun is None or value[place:].strip(b"; \t") or b"name*" in found or not _NAME.fullmatch(named):
        raise _faulty("a Content-Disposition that is not understood")
    return _one_name(named), _filename(found)


def _one_name(name: str) -> str:
    """Write the model's field in one way; a list of models is none."""
    base = name.partition("[")[0]
    if base.casefold() != MODEL:
        return name
    if base != name:
        raise BadRequest(f"Unknown parameter: '{name}'.")
    return MODEL


def _filename(found: dict[bytes, bytes]) -> bytes:
    text = b"".join(
        (b'; %b="%b"' if name == b"filename" else b"; %b=%b") % (name, found[name])
        for name in (b"filename", b"filename*")
        if name in found
    )
    return text


def _refuse_repeats(parts: list[Part]) -> None:
    """Refuse what OpenAI's API defines once and stands there twice, in its words; a model is no file."""
    counts = Counter(part.name.casefold() for part in parts if not part.name.endswith(LISTS))
    for part in parts:
        if counts[part.name.casefold()] > 1:
            raise BadRequest(
                f"Duplicate parameter: '{part.name}'. You provided multiple values for this parameter, "
                "whereas only one is allowed. If you are trying to provide a list of values, use the array "
                f"syntax instead e.g. '{part.name}[]=<value>'."
            )
        if part.name == MODEL and part.is_file:
            raise BadRequest("model is required")
