"""The configuration file before it meets a database: what is read, what is refused, and in which words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.configfile.export import Placeholders
from console.configfile.parsing import parse
from console.configfile.problems import ConfigError
from console.configfile.run import describe, same
from console.configfile.schema import ApiKey, Config, KeyEntry, Secret
from console.configfile.sources import SourceError, fetch
from console.configfile.yaml_reader import MAX_BYTES, read_yaml
from console.configfile.yaml_writer import OneLine, OneLineList, write_yaml

SECRET = "sk-never-to-be-shown-0123456789"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(read_yaml(text.encode()))
    return [str(problem) for problem in caught.value.problems]


BACKEND = "version: 1\nbackends:\n  - name: a\n    base_url: http://h/v1\n"
MAPPING = "version: 1\nmappings:\n  - name: m\n    targets: [{backend: a}]\n"

# What is in the file, and the whole of what its author is told.
BAD_FILES = {
    "empty": ("", "The file is empty: begin with `version: 1`."),
    "only a comment": ("# nothing\n", "The file is empty: begin with `version: 1`."),
    "a list": ("- a\n", "The file must be fields with values: begin with `version: 1`."),
    "no version": ("backends: []\n", "version: is missing: begin the file with `version: 1`."),
    "version 2": ("version: 2\n", "version: must be 1: this release of Llamagate reads no other."),
    "version true": ("version: true\n", "version: must be 1: this release of Llamagate reads no other."),
    "version in quotes": ("version: '1'\n", "version: must be 1: this release of Llamagate reads no other."),
    "null section": (
        "version: 1\nbackends:\n",
        "backends: must be a list, and is nothing. Fill it in, or leave the field out.",
    ),
    "section as fields": (
        "version: 1\nbackends: {a: 1}\n",
        "backends: must be a list, and is fields with values.",
    ),
    "unknown section": (
        "version: 1\nbackend: []\n",
        "backend: is no field here. Did you mean backends? Known fields: version, backends, mappings, teams.",
    ),
    "unknown field of a target": (
        MAPPING.replace("backend: a", "backend: a, prio: 1"),
        "mappings[0].targets[0].prio: is no field here. Did you mean priority? "
        "Known fields: backend, model, priority, weight, enabled.",
    ),
    "unknown field of a client key": (
        "version: 1\nteams: [{name: t, keys: [{name: k, key: {var: X}}]}]\n",
        "teams[0].keys[0].key.var: is no field here. Known fields: env, file, value.",
    ),
    "missing field": (
        "version: 1\nbackends: [{name: a}]\n",
        "backends[0].base_url: is missing: add it.",
    ),
    "missing targets": ("version: 1\nmappings: [{name: m}]\n", "mappings[0].targets: is missing: add it."),
    "a number for a name": (
        "version: 1\nbackends: [{name: 7, base_url: x}]\n",
        "backends[0].name: must be text, and is a whole number. Put it in quotes.",
    ),
    "yes for a name": (
        MAPPING.replace("backend: a", "backend: yes"),
        "mappings[0].targets[0].backend: must be text, and is true or false. Put it in quotes.",
    ),
    "text for a number": (
        MAPPING + "    context_length: 32k\n",
        "mappings[0].context_length: must be a whole number, and is text.",
    ),
    "a list for options": (
        MAPPING + "    options: [temperature]\n",
        "mappings[0].options: must be fields with values, and is a list.",
    ),
    "a role that is none": (
        MAPPING + "    messages: [{role: user, content: a}, {role: assistent, content: b}]\n",
        "mappings[0].messages[1]: role must be system, user or assistant.",
    ),
    "half a turn": (
        MAPPING + "    messages: [{role: user}]\n",
        "mappings[0].messages[0].content: is missing: add it.",
    ),
    "a turn in short": (
        MAPPING + "    messages: [{user: hello}]\n",
        "mappings[0].messages[0].user: is no field here. Known fields: role, content.",
    ),
    "a number as a turn's content": (
        MAPPING + "    messages: [{role: user, content: 7}]\n",
        "mappings[0].messages[0].content: must be text, and is a whole number. Put it in quotes.",
    ),
    "a right alone": (
        "version: 1\nteams: [{name: t, keys: [{name: k, rights: manage_models}]}]\n",
        "teams[0].keys[0].rights: must be a list, and is text.",
    ),
    "no source of a secret": (
        BACKEND + "    api_keys: [{label: main}]\n",
        "backends[0].api_keys[0]: say where the secret is, with exactly one of env, file and value.",
    ),
    "two sources of a secret": (
        BACKEND + "    api_keys: [{env: A, file: b}]\n",
        "backends[0].api_keys[0]: say where the secret is, with exactly one of env, file and value.",
    ),
    "an expiry that is none": (
        "version: 1\nteams: [{name: t, keys: [{name: k, expires_at: tomorrow}]}]\n",
        "teams[0].keys[0]: expires_at must be a day or a moment, such as 2027-01-31 or 2027-01-31T12:00:00Z.",
    ),
    "the same backend twice": (
        "version: 1\nbackends: [{name: a, base_url: x}, {name: b, base_url: x}, {name: a, base_url: y}]\n",
        "backends[2].name: is the same as in backends[0]: keep one of them.",
    ),
    "the same label twice": (
        BACKEND + "    api_keys: [{env: A}, {label: main, env: B}]\n",
        "backends[0].api_keys[1].label: is the same as in backends[0].api_keys[0]: keep one of them.",
    ),
    "names that clients cannot tell apart": (
        "version: 1\nmappings: [{name: Qwen, targets: []}, {name: 'qwen:latest', targets: []}]\n",
        "mappings[1].name: is the same as in mappings[0]: keep one of them.",
    ),
    "the same target twice": (
        MAPPING.replace("[{backend: a}]", "[{backend: a}, {backend: a, model: '*', weight: 1}]"),
        "mappings[0].targets[1]: is the same as in mappings[0].targets[0]: keep one of them.",
    ),
    "the same client key name twice": (
        "version: 1\nteams: [{name: t, keys: [{name: k}, {name: k}]}]\n",
        "teams[0].keys[1].name: is the same as in teams[0].keys[0]: keep one of them.",
    ),
    "a field twice": ("version: 1\nversion: 1\n", "line 2: this field is there twice: keep one of them."),
    "a number as a field": ("version: 1\n1: x\n", "line 2: a field's name must be text: put it in quotes."),
    "a star without quotes": (
        "version: 1\nmappings:\n  - name: *\n",
        'line 3: there is no such alias; a * at the beginning needs quotes, such as name: "*".',
    ),
    "a pattern without quotes": (
        "version: 1\nmappings:\n  - name: *-latest\n    targets: []\n",
        'line 3: there is no such alias; a * at the beginning needs quotes, such as name: "*".',
    ),
    "not closed": (
        "version: 1\nteams: [\n",
        "line 3: this is not YAML: expected the node content, but found ",
    ),
    "a tab": ("version: 1\nteams:\n\t- a\n", "line 3: this is not YAML: indent with spaces, not with tabs."),
    "a tag": (
        "version: 1\nteams: !!python/object/apply:os.system ['true']\n",
        "line 2: tags with ! are not read here: write the value plainly.",
    ),
    "bytes": ("version: !!binary aGk=\n", "line 1: tags with ! are not read here: write the value plainly."),
    "not a number": ("version: .nan\n", "line 1: this is not a finite number."),
    "infinite": ("version: 1e999\n", "line 1: this is not a finite number."),
    "tagged as a number": ("version: !!int one\n", "line 1: this is not a number that can be read."),
    "tagged as a fraction": ("version: !!float one\n", "line 1: this is not a finite number."),
    "too many digits": (f"version: {'9' * 5000}\n", "line 1: this is not a number that can be read."),
    "tagged as a truth": ("version: !!bool maybe\n", "line 1: this is neither true nor false."),
    "tagged as a list": ("version: !!seq one\n", "line 1: this is not YAML: "),
    "a zero byte": ('version: "a\\0"\n', "line 1: this text holds a character that cannot be stored."),
    "half a character": (
        'version: "\\ud800"\n',
        "line 1: this text holds a character that cannot be stored.",
    ),
    "a control character": ("version: \x07\n", "The file holds control characters: it is not YAML text."),
    "two documents": (
        "version: 1\n---\nversion: 1\n",
        "line 2: a second document begins here: keep everything in one.",
    ),
    "a list inside itself": ("version: &a [*a]\n", "line 1: this refers to itself."),
    "too deep": ("[" * 3_000, "The file is nested too deeply."),
}


@pytest.mark.parametrize(("text", "told"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    [problem] = problems(text)
    assert problem.startswith(told)
    assert told.endswith(" ") or problem == told


def test_a_file_may_not_be_too_large() -> None:
    raw = b"#" * (MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        read_yaml(raw)
    assert read_yaml(raw[:-1]) is None


def test_a_file_must_be_utf8() -> None:
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        read_yaml("version: 1 # für\n".encode("latin-1"))
    assert read_yaml("version: 1 # für\n".encode("utf-8-sig")) == {"version": 1}


def nested_aliases(value: str) -> str:
    lines = [f"a0: &a0 {value}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize("value", ["x", "x" * 10_000])
def test_aliases_cannot_blow_a_small_file_up(value: str) -> None:
    assert problems(nested_aliases(value)) == [
        "The file holds more than 200000 values, counted with its aliases."
    ]


def test_merged_aliases_cannot_blow_a_small_file_up() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    assert problems("\n".join(lines)) == ["The file holds more than 200000 values, counted with its aliases."]


def test_anchors_may_be_used() -> None:
    text = "version: 1\nmappings:\n  - &a {name: a, targets: [], options: {seed: 1}}\n  - {<<: *a, name: b}\n"
    config = parse(read_yaml(text.encode()))
    assert isinstance(config.mappings, list)
    assert [(entry.name, entry.options) for entry in config.mappings] == [
        ("a", {"seed": 1}),
        ("b", {"seed": 1}),
    ]


def test_what_looks_like_a_date_stays_text_and_an_exponent_needs_no_dot() -> None:
    assert read_yaml(b"a: 2027-01-31\nb: 1e-3\nc: -2E+2\nd: 1e3x\n") == {
        "a": "2027-01-31",
        "b": 0.001,
        "c": -200.0,
        "d": "1e3x",
    }


# Files with a secret in a wrong place; whatever is told, it is not the secret.
SPILLED = {
    "as a field": f"version: 1\nteams: [{{name: t, keys: [{{name: k, key: {{{SECRET}}}}}]}}]\n",
    "as a tag": f"version: 1\nteams: !{SECRET} x\n",
    "as an alias": f"version: 1\nteams: *{SECRET}\n",
    "as a tag with a handle": f"version: 1\nteams: !{SECRET}!x y\n",
    "as a directive": f"%TAG {SECRET} x\n---\nversion: 1\n",
    "with a wrong kind": f"{BACKEND}    api_keys: {SECRET}\n",
    "before a syntax error": f"{BACKEND}    api_keys: [{{value: {SECRET}}}\n",
    "in two sources": f"{BACKEND}    api_keys: [{{value: {SECRET}, env: X}}]\n",
    "twice as a field": f"version: 1\n{SECRET}: 1\n{SECRET}: 2\n",
    "in a broken escape": f'version: "{SECRET} \\q"\n',
}


@pytest.mark.parametrize("text", SPILLED.values(), ids=SPILLED.keys())
def test_no_error_repeats_a_secret(text: str) -> None:
    assert SECRET not in "\n".join(problems(text))


def test_no_repr_shows_a_secret() -> None:
    key = KeyEntry(name="k", key=Secret(value=SECRET))
    assert SECRET not in f"{Secret(value=SECRET)!r} {ApiKey(value=SECRET)} {key}"


def test_left_out_is_another_thing_than_empty() -> None:
    assert parse({"version": 1}) == Config(version=1)
    assert parse({"version": 1, "teams": []}) == Config(version=1, teams=[])
    assert Config(version=1) != Config(version=1, teams=[])


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2027-01-31", "2027-01-31T00:00:00+00:00"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00+00:00"),
        ("2027-01-31 12:00:00+02:00", "2027-01-31T12:00:00+02:00"),
    ],
)
def test_an_expiry_is_a_day_or_a_moment(text: str, iso: str) -> None:
    expiry = KeyEntry(name="k", expires_at=text).expiry
    assert expiry is not None
    assert expiry.isoformat() == iso


def test_a_secret_is_fetched_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", f" {SECRET}\n")
    (tmp_path / "key.txt").write_text(f"{SECRET}\n")
    for secret in (Secret(env="SOME_KEY"), Secret(file="key.txt"), Secret(value=SECRET)):
        assert fetch(secret, tmp_path) == SECRET
    assert fetch(Secret(file=str(tmp_path / "key.txt")), Path("/nowhere")) == SECRET


def write_lines(path: Path) -> None:
    path.write_text(f"{SECRET}\n{SECRET}\n")


def write_latin(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


UNFETCHABLE: dict[str, tuple[Secret, Callable[[Path], Any], str, bool]] = {
    "variable not set": (
        Secret(env="NO_SUCH"),
        Path.touch,
        "the environment variable NO_SUCH is not set",
        True,
    ),
    "variable empty": (Secret(env="EMPTY"), Path.touch, "the environment variable EMPTY is not set", True),
    "no file": (Secret(file="other"), Path.touch, "there is no file ", True),
    "a directory": (Secret(file="file"), Path.mkdir, "cannot be read: Is a directory", False),
    "an empty file": (Secret(file="file"), Path.touch, "is empty", False),
    "several lines": (Secret(file="file"), write_lines, "is no key", False),
    "not text": (Secret(file="file"), write_latin, "is not text", False),
    "an impossible name": (Secret(file="a\x01\x00b"), Path.touch, "is not text", False),
    "an empty value": (Secret(value=" "), Path.touch, "is empty", False),
    "a value with a space": (Secret(value=f"{SECRET} {SECRET}"), Path.touch, "is no key", False),
}


@pytest.mark.parametrize(("secret", "write", "told", "absent"), UNFETCHABLE.values(), ids=UNFETCHABLE.keys())
def test_a_secret_that_cannot_be_had_is_named_by_its_place(
    secret: Secret,
    write: Callable[[Path], Any],
    told: str,
    absent: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMPTY", "")
    write(tmp_path / "file")
    with pytest.raises(SourceError) as caught:
        fetch(secret, tmp_path)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.absent is absent


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(SourceError, match="is no key"):
        fetch(Secret(file="/dev/zero"), Path())


def test_placeholders_are_names_of_variables_and_never_the_same() -> None:
    make = Placeholders().make
    assert [
        make("my-vllm", "main", "API_KEY"),
        make("my_vllm", "main", "API_KEY"),
        make("my", "vllm", "main_API_KEY"),
    ] == [
        "MY_VLLM_MAIN_API_KEY",
        "MY_VLLM_MAIN_API_KEY_2",
        "MY_VLLM_MAIN_API_KEY_3",
    ]
    assert make("3dfx", "a", "API_KEY") == "_3DFX_A_API_KEY"
    assert make("ü", "ß", "API_KEY") == "_SS_API_KEY"


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts.filter(lambda name: name not in ("<<", "=")), plain, max_size=4))
def test_what_is_written_is_read_back_unchanged(data: dict[str, Any]) -> None:
    assert read_yaml(write_yaml({"a": data}).encode()) == {"a": data}
    assert read_yaml(write_yaml({"a": OneLine(data), "b": OneLineList([data])}).encode()) == {
        "a": data,
        "b": [data],
    }


@pytest.mark.parametrize("text", ["\n", "a\n\n", "a\nb\n\n\n", "\n\na\n", "a\r\n"])
def test_another_section_may_follow_any_text(text: str) -> None:
    written = write_yaml({"a": [{"b": text}]}) + write_yaml({"c": text})
    assert read_yaml(written.encode()) == {"a": [{"b": text}], "c": text}


@pytest.mark.parametrize("text", ["1e3", "-1E5", "2027-01-31", "yes", "null", "*", "0x1f", "1:30", "~", ""])
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert read_yaml(write_yaml({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (1, 1.0, True),
        (1, True, False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
        ({"a": True}, {"a": 1}, False),
        ([True], [1], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
        ("1", 1, False),
    ],
)
def test_values_are_compared_as_json_has_them(left: Any, right: Any, is_same: bool) -> None:
    assert same(left, right) is is_same
    assert same(right, left) is is_same


def test_a_change_is_told_on_one_line() -> None:
    assert describe("weight", 100, 10) == "weight 100 -> 10"
    assert describe("context_length", None, 4096) == "context_length none -> 4096"
    assert describe("allowed_models", ["*"], ["a"]) == 'models ["*"] -> ["a"]'
    assert describe("system", "", "a\nb" * 100) == "system changed"
