"""The benchmark's arithmetic, its checker, its report and its command line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bench import report, script, server, upstream
from bench.answers import Expected, WrongAnswer, check, difference
from bench.cells import exchanges_for, line_through
from bench.client import Address
from bench.report import REFERENCE, SERVER, Results
from bench.run import Options

NDJSON = "application/x-ndjson"
EXPECTED = Expected(seed=3, count=6, stream=True)


def test_a_line_through_two_lengths_gives_the_fixed_cost_and_the_cost_of_a_chunk() -> None:
    costs = line_through((20, 220), (400.0 + 20 * 2.5, 400.0 + 220 * 2.5))
    assert costs.fixed == pytest.approx(400.0)
    assert costs.chunk == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("cost", "exchanges"), [(500.0, 2000), (501.0, 2000), (499.0, 2008), (5e6, 8), (0.0, 1_000_000)]
)
def test_a_load_is_sized_by_cpu_time_in_equal_shares(cost: float, exchanges: int) -> None:
    assert exchanges_for(1.0, cost, connections=8) == exchanges


def _line(content: str, **more: object) -> dict[str, object]:
    return {"model": "burst", "message": {"role": "assistant", "content": content}, "done": False} | more


def _last(**more: object) -> dict[str, object]:
    counts: dict[str, object] = {"prompt_eval_count": script.PROMPT_TOKENS, "eval_count": EXPECTED.count}
    return _line("", done=True, done_reason=script.FINISH_REASON) | counts | more


def _lines(*lines: dict[str, object]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _answer(pieces: list[str], *last: dict[str, object]) -> bytes:
    return _lines(*(_line(piece) for piece in pieces), *(last or (_last(),)))


PIECES = list(script.pieces(EXPECTED.seed, EXPECTED.count))


def test_a_faultless_answer_passes_and_its_lines_are_counted() -> None:
    assert check(EXPECTED, 200, NDJSON, _answer(PIECES)) == EXPECTED.count + 1


def test_a_faultless_whole_answer_passes() -> None:
    whole = _last(message={"role": "assistant", "content": "".join(PIECES)})
    expected = replace(EXPECTED, stream=False)
    assert check(expected, 200, "application/json; charset=utf-8", json.dumps(whole).encode()) == 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (_answer(PIECES[:2] + PIECES[3:]), r"lost 3\.2"),
        (_answer(PIECES[:3] + PIECES[2:]), r"doubled 3\.2"),
        (_answer([*PIECES[:2], PIECES[3], PIECES[2], *PIECES[4:]]), "out of order"),
        (_answer([*PIECES[:-1], " 4.5"]), r"lost 3\.5; strange 4\.5"),
        (_lines(*(_line(piece) for piece in PIECES)), "0 lines say done:true"),
        (_answer(PIECES, _last(), _last()), "2 lines say done:true"),
        (_answer(PIECES, _last(), _line("")), "1 lines say done:true"),
        (_answer(PIECES, {"error": "upstream went away"}), "upstream went away"),
        (_answer(PIECES, _last(eval_count=5)), "eval_count"),
        (_answer(PIECES, _last(done_reason="stop")), "done_reason"),
        (_answer(PIECES)[:-1], "has no end"),
        (_answer(PIECES).replace(b'{"model"', b'"model"', 1), "not a line of an answer"),
        (b"", "0 lines say done:true"),
    ],
)
def test_a_faulty_answer_is_found(body: bytes, fault: str) -> None:
    with pytest.raises(WrongAnswer, match=fault):
        check(EXPECTED, 200, NDJSON, body)


@pytest.mark.parametrize(("status", "content_type"), [(500, NDJSON), (200, "application/json"), (200, "")])
def test_a_wrong_head_is_found(status: int, content_type: str) -> None:
    with pytest.raises(WrongAnswer):
        check(EXPECTED, status, content_type, _answer(PIECES))


def test_the_difference_of_equal_pieces_is_their_order() -> None:
    assert difference(" 1.0 1.1", " 1.1 1.0") == "the pieces are out of order"


@pytest.fixture
def results() -> Results:
    filled = Results()
    for cost, floor in ((300.0, 50.0), (400.0, 100.0), (900.0, 100.0)):
        filled.add("request", SERVER, cost)
        filled.add("request", REFERENCE, floor)
    filled.add("idle", SERVER, 120.0)
    return filled


def test_the_ratio_is_the_median_of_the_rounds_ratios(results: Results) -> None:
    assert results.ratio("request") == 6.0


def test_there_is_no_ratio_where_a_slope_of_the_reference_vanished_in_noise(results: Results) -> None:
    results.add("burst", SERVER, 3.0)
    results.add("burst", REFERENCE, -0.1)
    assert results.ratio("burst") is None
    assert report.exceeded(results, {"burst": 9.0}) == ["burst: could not be compared with the reference"]


def test_there_is_no_ratio_of_what_is_no_cost(results: Results) -> None:
    results.add("idle", REFERENCE, 60.0)
    assert results.ratio("idle") is None


def test_a_bound_holds_or_does_not(results: Results) -> None:
    assert report.exceeded(results, {"request": 6.0}) == []
    assert report.exceeded(results, {"request": 5.9}) == [
        "request: 6.00 times the reference, at most 5.9 is allowed"
    ]


def test_the_table_shows_min_median_max_and_the_ratio(results: Results) -> None:
    rows = list(report.table(results))
    assert rows[1].split("us", 1)[1].split() == [
        "300",
        "/",
        "400",
        "/",
        "900",
        "50",
        "/",
        "100",
        "/",
        "100",
        "6.00",
    ]
    assert rows[2].split()[-1] == "120"


def test_paced_chunks_that_did_not_come_alone_are_reported(results: Results) -> None:
    assert list(report.doubts(results)) == []
    for lines in (0.99, 1.3, 1.0):
        results.add("alone", SERVER, lines)
    results.add("alone", REFERENCE, 1.0)
    (doubt,) = report.doubts(results)
    assert "paced, server: up to 1.30 lines" in doubt


def test_the_json_file_has_every_round(results: Results) -> None:
    data = json.loads(report.to_json(results, report.machine("a clock")))
    request = data["metrics"]["request"]
    assert request[SERVER] == {"min": 300.0, "median": 400.0, "max": 900.0, "rounds": [300.0, 400.0, 900.0]}
    assert (request["ratio"], request["unit"], data["clock"]) == (6.0, "us", "a clock")
    assert "ratio" not in data["metrics"]["idle"]


@pytest.mark.parametrize(
    "bound", ["request", "request=", "request=x", "request=0", "request=inf", "idle=3", "=3"]
)
def test_a_bound_that_means_nothing_is_refused(bound: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{bound}: ")):
        report.parse_bounds([bound])


def test_bounds_are_read() -> None:
    assert report.parse_bounds(["request=12", "paced=1.5"]) == {"request": 12.0, "paced": 1.5}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "nothing"],
        ["--rounds", "0"],
        ["--max-ratio", "speed=2"],
        ["--url", "http://127.0.0.1:11434"],
        ["--url", "http://127.0.0.1:11434", "--pid", "1"],
        ["--url", "https://127.0.0.1", "--pid", "1", "--upstream-port", "9100"],
        ["--print-config"],
    ],
)
def test_a_command_line_that_means_nothing_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ending:
        Options.read(arguments)
    assert ending.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_running_server_is_measured_where_it_is() -> None:
    options = Options.read(["--url", "http://127.0.0.1:11434/", "--pid", "77", "--upstream-port", "9100"])
    assert options.running is not None
    assert (options.running.address, options.running.pid) == (Address("127.0.0.1", 11434), 77)


def test_the_configuration_is_plain_yaml_with_every_model() -> None:
    text = server.configuration(9100, "k" * 40)
    document = yaml.safe_load(text)
    assert "&id" not in text
    assert [mapping["name"] for mapping in document["mappings"]] == list(upstream.MODELS)
    assert document["backends"][0]["base_url"] == "http://127.0.0.1:9100/v1"
    assert document["teams"][0]["keys"][0]["key"] == {"value": "k" * 40}


def test_the_servers_database_is_a_throw_away_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "OPENAI_API_KEY", "DATA_DIR"):
        monkeypatch.setenv(name, "somebody's own")
    environment = server.environment(tmp_path, 11500)
    assert environment["DATABASE_URL"] == f"sqlite:///{tmp_path}/data/bench.sqlite3"
    assert environment["DATA_DIR"] == f"{tmp_path}/data"
    assert "somebody's own" not in environment.values()
    # An empty value is set, so that a `.env` file cannot fill it in.
    assert environment["REDIS_URL"] == environment["DATABASE_URL_FILE"] == environment["OPENAI_API_KEY"] == ""
