"""Forms that pass hold one model, ours, for every parser; what could be read in two ways is refused."""

import re
from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO

import pytest
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.wire.dialects import DIALECTS
from gateway.diagnostics import Diagnostics
from gateway.errors import BadRequest
from gateway.translate import multipart
from gateway.translate.routing_members import WHY

TYPE = "multipart/form-data; boundary=b0"
PLAIN = DIALECTS["openai"]


def field(name: str, value: str = "x", more: str = "", disposition: str = "") -> str:
    head = disposition or f'form-data; name="{name}"'
    return f"Content-Disposition: {head}{more}\r\n\r\n{value}"


def form(*parts: str, model: str = "m", end: str = "--\r\n") -> bytes:
    first = [field("model", model)] if model else []
    return "".join(f"--b0\r\n{part}\r\n" for part in [*first, *parts]).encode() + b"--b0" + end.encode()


def rewritten(
    body: bytes, content_type: str = TYPE, dialect: str = "openai", diagnostics: Diagnostics | None = None
) -> bytes:
    found = multipart.parse(body, content_type)
    return multipart.with_model(found, "theirs", DIALECTS[dialect], diagnostics or Diagnostics())


def by_email(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """Read a form with another parser."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    found = []
    for part in message.iter_parts():
        value = part.get_payload(decode=True)
        assert isinstance(value, bytes)
        found.append((str(part.get_param("name", header="content-disposition")), value))
    return found


def by_django(body: bytes, content_type: str) -> dict[str, list[str]]:
    """Read a form with yet another one."""
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(body)}
    parser = MultiPartParser(meta, BytesIO(body), [MemoryFileUploadHandler()])
    posted, _ = parser.parse()
    return {name: posted.getlist(name) for name in posted}


AUDIO = field("file", "RIFF\0\r\n\n--b", '; filename="a b.wav"\r\nContent-Type: audio/wav')


def test_a_form_passes_but_for_its_model() -> None:
    given = form(AUDIO, field("language", "en"), field("response_format", ""))
    assert rewritten(given) == given.replace(b"\r\n\r\nm\r\n", b"\r\n\r\ntheirs\r\n")


@pytest.mark.parametrize(
    "content_type",
    [
        'Multipart/Form-Data;boundary="b0"',
        "multipart/form-data; charset=utf-8; boundary=b0",
        "multipart/form-data; boundary=b0;",
    ],
)
def test_types_that_are_written_otherwise(content_type: str) -> None:
    assert multipart.parse(form(), content_type).content_type == TYPE


@pytest.mark.parametrize(
    "name", ["image[]", "timestamp_granularities[]", "include[]", "known_speaker_names[]"]
)
def test_fields_of_lists_may_repeat(name: str) -> None:
    given = form(field(name, "1"), field(name, "2"))
    assert by_django(rewritten(given), TYPE)[name] == ["1", "2"]


@pytest.mark.parametrize("name", ["model", "prompt", "language", "image", "file", "response_format", "n"])
def test_what_is_defined_once_may_not(name: str) -> None:
    given = form(*[field(name, "1"), field(name, "2")][: 1 if name == "model" else 2])
    with pytest.raises(BadRequest, match=f"Duplicate parameter: '{name}'"):
        multipart.parse(given, TYPE)


MODEL = 'form-data; name="model"'
TRICKS = {
    "another case": field("Model", "evil"),
    "a list of models": field("model[]", "evil"),
    "a place in a list": field("model[0]", "evil"),
    "an extended name": field("", "evil", disposition="form-data; name*=UTF-8''model"),
    "an extended name beside": field("", "evil", disposition="form-data; name=\"a\"; name*=utf-8''model"),
    "two names": field("", "evil", disposition='form-data; name="a"; name="model"'),
    "a name without quotes": field("", "evil", disposition="form-data; name=model"),
    "a name in single quotes": field("", "evil", disposition="form-data; name='model'"),
    "white space": field("", "evil", disposition='form-data; name = "model"'),
    "white space within": field(" model", "evil"),
    "a quote behind a backslash": field("", "evil", disposition='form-data; name="a\\"; name="model"'),
    "in a file's name": field("a", "evil", '; filename="x\\"; name="model"'),
    "escaped": field("mod%65l", "evil", '"'),
    "two dispositions": field("a", "evil", f"\r\nContent-Disposition: {MODEL}"),
    "a continued line": field("", "evil", disposition='form-data;\r\n name="model"'),
    "a bare line feed": field("a", "evil", f"\nContent-Disposition: {MODEL}"),
    "a bare carriage return": field("a", "evil", f"\rContent-Disposition: {MODEL}"),
    "white space before the colon": f"Content-Disposition : {MODEL}\r\n\r\nevil",
    "no disposition": "Content-Type: text/plain\r\n\r\nevil",
    "an attachment": field("", "evil", disposition='attachment; name="model"'),
    "a nested form": field(
        "a", f"--c\r\n{field('model', 'evil')}", "\r\nContent-Type: multipart/mixed; boundary=c"
    ),
    "another encoding": field("a", "=6d", "\r\nContent-Transfer-Encoding: quoted-printable"),
    "base64": field("a", "bQ==", "\r\nContent-Transfer-Encoding: base64"),
    "a bare boundary": field("a", f"\n--b0\n{field('model', 'evil')}"),
    "a boundary behind a carriage return": field("a", f"\r--b0\r\n{field('model', 'evil')}"),
    "a longer boundary": field("a", f"\r\n--b0x\r\n{field('model', 'evil')}"),
    "a boundary with a space": field("a", f"\r\n--b0 \r\n{field('model', 'evil')}"),
    "an end that is none": field("a", f"\r\n--b0--x\r\n--b0\r\n{field('model', 'evil')}"),
    "a boundary at once": field("a", f"--b0\r\n{field('model', 'evil')}"),
    "a zero": field("model\0", "evil"),
    "no name": field("", "evil", disposition="form-data"),
    "a head without end": "Content-Disposition: form-data",
}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_second_model_does_not_get_in(trick: str, is_first: bool) -> None:
    """Neither before ours nor behind it."""
    given = form(TRICKS[trick], field("model", "m"), model="") if is_first else form(TRICKS[trick])
    with pytest.raises(BadRequest):
        multipart.parse(given, TYPE)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x" + form(), TYPE),
        (form(end=""), TYPE),
        (form(end="--x"), TYPE),
        (form()[:-8], TYPE),
        (b"", TYPE),
        (form(model=""), TYPE),
        (form(model=" "), TYPE),
        (form(field("a")).replace(b'name="model"', b'name="model"; filename="f"'), TYPE),
        (form(*[field(f"f{n}") for n in range(100)]), TYPE),
        (form(), "multipart/form-data"),
        (form(), "multipart/mixed; boundary=b0"),
        (form(), "multipart/form-data; boundary=b0; boundary=c"),
        (form(), "multipart/form-data; boundary=b0, multipart/form-data; boundary=c"),
        (form(), "multipart/form-data; boundary*=utf-8''b0"),
        (form(), 'multipart/form-data; boundary="b0\\"; x="'),
        (form(), "multipart/form-data; boundary=b0\t\r\n"),
        (form(), f"multipart/form-data; boundary={'b' * 71}"),
    ],
)
def test_forms_that_are_none(body: bytes, content_type: str) -> None:
    with pytest.raises(BadRequest):
        multipart.parse(body, content_type)


def test_what_follows_the_end_is_not_sent_on() -> None:
    given = form(end=f"--\r\n--b0\r\n{field('model', 'evil')}\r\n--b0--\r\n")
    assert rewritten(given) == form(model="theirs")


def test_fields_that_choose_are_left_out_and_noted() -> None:
    diagnostics = Diagnostics()
    names = ["api_base", "Models", "provider[order][]", "metadata", "fallbacks[]"]
    given = form(*[field(name) for name in names], field("prompt"))
    assert rewritten(given, dialect="generic", diagnostics=diagnostics) == form(
        field("prompt"), model="theirs"
    )
    assert [(note.field, note.why) for note in diagnostics.taken] == [(name, WHY) for name in names]


WORDS = (
    b'--b0|--|model|evil|name="model"|; |"|\\|:| |Content-Disposition: form-data; |filename=|name*=|M|\t|\0'
)
PIECES = st.sampled_from([b"\r\n", b"\n", b"\r\n\r\n", b"--b0\r\n", *WORDS.split(b"|")])


CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 8]), st.lists(PIECES, max_size=4).map(b"".join)),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(CHANGES)
def test_no_two_parsers_see_different_models(changes: list[tuple[float, int, bytes]]) -> None:
    """Whatever is put where into a good form: what gets through has one model for us, email and Django."""
    body = form(AUDIO, field("language", "en"))
    for where, cut, put in changes:
        start = int(where * len(body))
        body = body[:start] + put + body[start + cut :]
    try:
        made = rewritten(body)
    except BadRequest:
        return
    assert len(re.findall(rb'^Content-Disposition: form-data; name="model"\r$', made, re.MULTILINE)) == 1
    assert [value for name, value in by_email(made, TYPE) if name.casefold() == "model"] == [b"theirs"]
    try:
        assert by_django(made, TYPE)["model"] == ["theirs"]
    except MultiPartParserError:  # it takes fewer forms than we do
        return
