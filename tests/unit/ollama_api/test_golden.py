"""Every folder of tests/golden: the request for each kind of backend, and the answer, to the byte."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import ollama
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.client_api import ClientApi
from ollama_api.ollama import parse
from ollama_api.ollama.chat import API as CHAT
from ollama_api.ollama.generate import API as GENERATE
from tests.golden import replay

GOLDEN = Path(replay.__file__).parent
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/ollama.json"))
STREAMS = [case for case in CASES if (case / "upstream.sse").exists()]
WHOLES = [case for case in CASES if (case / "upstream.json").exists()]
ENDPOINTS: dict[str, tuple[ClientApi, Any, Any]] = {
    "chat": (CHAT, parse.chat, ollama.ChatResponse),
    "generate": (GENERATE, parse.generate, ollama.GenerateResponse),
}
KINDS = ("generic", "openai", "vllm", "llamacpp")
"""What every case is translated for; what is particular to the others stands in `golden/dialects`."""
WRITTEN_BY_HAND = {"about.md", "ollama.json", "mapping.json", "upstream.sse", "upstream.json"}
EXPECTED = {"ollama.ndjson", "ollama.answer.json", "refusal.json"}


def name_of(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def call_of(case: Path) -> tuple[ClientApi, Any]:
    endpoint, read, _ = ENDPOINTS[case.parent.name]
    return endpoint, read((case / "ollama.json").read_bytes())


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def compare(path: Path, found: bytes, update: bool) -> None:
    if update:
        path.write_bytes(found)
    assert path.exists(), f"{path.name} is missing; --update-golden writes it"
    assert found.decode() == path.read_bytes().decode()


def compare_outcome(case: Path, expected: str, outcome: replay.Outcome, update: bool) -> None:
    """An answer, or the refusal that the client gets instead."""
    refused = outcome.status != 200
    if update:
        (case / (expected if refused else "refusal.json")).unlink(missing_ok=True)
    if refused:
        told = {"status": outcome.status, **json.loads(outcome.body)}
        compare(case / "refusal.json", pretty(told).encode(), update)
    elif expected.endswith(".ndjson"):
        compare(case / expected, outcome.body, update)
    else:
        compare(case / expected, pretty(json.loads(outcome.body)).encode(), update)


def replayed(case: Path, reads: list[bytes]) -> replay.Outcome:
    endpoint, call = call_of(case)
    return replay.stream(endpoint, call, reads)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_what_each_kind_of_backend_is_asked(case: Path, update_golden: bool) -> None:
    endpoint, call = call_of(case)
    mapping = case / "mapping.json"
    rule = replay.rule(**(json.loads(mapping.read_text()) if mapping.exists() else {}))
    bodies = {
        dialect: pretty(replay.build(endpoint, call, replay.target(dialect), rule)) for dialect in KINDS
    }
    for dialect, body in bodies.items():
        path = case / f"upstream.{dialect}.json"
        if update_golden and dialect != "generic" and body == bodies["generic"]:
            path.unlink(missing_ok=True)
        if dialect == "generic" or path.exists() or (update_golden and body != bodies["generic"]):
            compare(path, body.encode(), update_golden)
        else:
            assert body == bodies["generic"], f"{dialect} is asked something else than generic"


@pytest.mark.parametrize("case", STREAMS, ids=name_of)
def test_what_the_client_gets_of_a_stream(case: Path, update_golden: bool) -> None:
    sse = (case / "upstream.sse").read_bytes()
    outcome = replayed(case, events_of(sse))
    compare_outcome(case, "ollama.ndjson", outcome, update_golden)


@pytest.mark.parametrize("case", WHOLES, ids=name_of)
def test_what_the_client_gets_of_a_whole_answer(case: Path, update_golden: bool) -> None:
    endpoint, call = call_of(case)
    outcome = replay.whole(endpoint, call, (case / "upstream.json").read_bytes())
    compare_outcome(case, "ollama.answer.json", outcome, update_golden)


@pytest.mark.parametrize("case", STREAMS, ids=name_of)
def test_lines_are_what_ollamas_own_client_reads(case: Path) -> None:
    outcome = replayed(case, events_of((case / "upstream.sse").read_bytes()))
    *before, last = [json.loads(line) for line in outcome.body.splitlines()]
    kind = ENDPOINTS[case.parent.name][2]
    if outcome.status == 200:
        assert outcome.body.endswith(b"\n")
        # As the official Python client splits them.
        assert len(outcome.body.decode().splitlines()) == len(before) + 1
    assert [line["done"] for line in before] == [False] * len(before)
    assert last.get("done") is True or set(last) == {"error"}
    for line in [*before, last] if "done" in last else before:
        kind.model_validate(line)
        assert line["model"] == call_of(case)[1].model


def test_a_backend_that_does_not_stream_is_understood() -> None:
    case = GOLDEN / "chat" / "plain_text"
    endpoint, call = call_of(case)
    reads = [b"\n\n", (case / "upstream.json").read_bytes()]
    outcome = replay.stream(endpoint, call, reads, content_type="application/json")
    text, last = (json.loads(line) for line in outcome.body.splitlines())
    assert (text["message"]["content"], text["done"]) == ("Hello", False)
    assert (last["done"], last["prompt_eval_count"], last["eval_count"]) == (True, 7, 3)


@pytest.mark.parametrize("content_type", ["text/html", "application/x-ndjson", "application/octet-stream"])
def test_what_is_no_stream_is_no_answer(content_type: str) -> None:
    endpoint, call = call_of(GOLDEN / "chat" / "plain_text")
    outcome = replay.stream(endpoint, call, [b"<html>Sign in</html>"], content_type=content_type)
    assert outcome.status == 502


@pytest.mark.parametrize("case", STREAMS, ids=name_of)
def test_any_chunking_gives_the_same(case: Path) -> None:
    sse = (case / "upstream.sse").read_bytes()
    golden = replayed(case, events_of(sse))

    @settings(max_examples=15, database=None)
    @given(st.lists(st.integers(0, len(sse)), max_size=12).map(sorted))
    def cut(places: list[int]) -> None:
        assert replayed(case, cut_at(sse, places)) == golden

    cut()
    assert replayed(case, [sse]) == golden
    assert replayed(case, cut_at(sse, list(range(len(sse))))) == golden


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def events_of(sse: bytes) -> list[bytes]:
    """One read per event, as a backend that flushes gives them."""
    blank = b"\r\n\r\n" if b"\r\n" in sse else b"\n\n"
    *whole, rest = sse.split(blank)
    return [event + blank for event in whole] + ([rest] if rest else [])


def test_folders_hold_what_the_guide_says() -> None:
    assert len(CASES) >= 25
    known = WRITTEN_BY_HAND | EXPECTED | {f"upstream.{dialect}.json" for dialect in KINDS}
    for case in GOLDEN.glob("*/*/"):
        if case.name != "__pycache__":
            names = {path.name for path in case.iterdir()}
            assert names <= known, f"{name_of(case)} holds {names - known}"
            assert {"about.md", "ollama.json"} <= names, name_of(case)
            if "refusal.json" in names:
                assert len(names & {"upstream.sse", "upstream.json"}) == 1, f"{name_of(case)}: whose refusal?"
