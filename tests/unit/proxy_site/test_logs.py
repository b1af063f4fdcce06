"""What a log line holds is bounded, whoever wrote it and however long what they say is."""

import io
import json
import logging
import sys
from typing import Any

import pytest
import structlog

from proxy_site import logs

LONG = "n" * 20_000_000
MOST_LINE = 60_000


def logged(**fields: Any) -> tuple[str, dict[str, Any]]:
    """Log one line as our own code does: the line, and what it says."""
    out = io.BytesIO()
    log = structlog.wrap_logger(
        structlog.BytesLogger(out), processors=[*logs.SHARED_PROCESSORS, logs._renderer("json")]
    )
    log.warning(fields.pop("event", "something"), **fields)
    line = out.getvalue().decode()
    return line, json.loads(line)


@pytest.mark.parametrize(
    "value",
    [
        LONG,
        [LONG] * 3,
        {"deep": {"deeper": [LONG]}},
        {LONG: LONG},
        [LONG[:2000]] * 10_000,
        {f"{number}": LONG[:2000] for number in range(10_000)},
        (LONG, {LONG}),
        LONG.encode(),
        bytearray(1_000_000),
        RuntimeError(LONG),
        10**100_000,
        [[[[LONG]]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_field_is_bounded(value: Any) -> None:
    line, said = logged(field=value)
    assert len(line) < MOST_LINE
    assert said["event"] == "something"


def test_what_was_cut_says_so() -> None:
    _, said = logged(field=LONG, many=list(range(100)), names={str(number): 1 for number in range(100)})
    assert said["field"] == LONG[: logs.LONGEST_TEXT] + "…"
    assert said["many"] == [*range(32), "…"]
    assert said["names"]["…"] == 68


@pytest.mark.parametrize(
    "value", ["short", 1, -1, 2.5, True, None, ["a", 1], {"a": {"b": 1}}, 2**63 - 1], ids=repr
)
def test_what_is_short_stays_as_it_is(value: Any) -> None:
    assert logged(field=value)[1]["field"] == value


def test_the_event_is_bounded() -> None:
    assert len(logged(event=LONG)[1]["event"]) == logs.LONGEST_TEXT + 1


def test_a_traceback_keeps_its_beginning_and_its_end() -> None:
    def fail() -> None:
        raise ValueError(f"{LONG} and this is why")

    try:
        fail()
    except ValueError:
        line, said = logged(exc_info=True)
    assert len(line) < MOST_LINE
    assert said["exception"].startswith("Traceback")
    assert said["exception"].endswith("and this is why")


def test_lines_of_libraries_are_bounded() -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        **{
            name: value
            for name, value in logs._stdlib(logging.INFO, logs._renderer("json"))["formatters"][
                "plain"
            ].items()
            if name != "()"
        }
    )
    try:
        raise ValueError(LONG)
    except ValueError:
        record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, "%s", (LONG,), sys.exc_info())
    line = formatter.format(record)
    assert len(line) < MOST_LINE
    assert json.loads(line)["logger"] == "asyncio"


KEY = "lg-1a2b3c4d-" + "n" * 32


@pytest.mark.parametrize(
    "value",
    [
        f"GET /k/{KEY}/api/tags HTTP/1.1",
        f"GET /%6B/{KEY}/api/tags",
        f"http://host:11434/k/{KEY}",
        f"Referer checking failed - http://host/k/{KEY}?a=/k/{KEY}#b",
        {"path": f"/k/{KEY}/", "deep": [f"/k/{KEY}/"]},
        RuntimeError(f"no /k/{KEY}/v1"),
        "n" * (logs.LONGEST_TEXT - 20) + f"/k/{KEY}/",
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_key_in_a_path_is_masked_wherever_it_stands(value: Any) -> None:
    line, _ = logged(field=value, event="something")
    assert "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" not in line.replace("n" * (logs.LONGEST_TEXT - 20), "")
    assert "/***" in line
    assert "lg-1a2b3c4d" not in line


def test_an_access_log_of_the_server_is_masked_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours writes none; where somebody switches one on, its lines pass the same processors."""
    record = logging.LogRecord(
        "uvicorn.access",
        logging.INFO,
        "",
        0,
        '%s - "%s %s HTTP/%s" %d',
        ("a", "GET", f"/k/{KEY}/", "1.1", 200),
        None,
    )
    formatter = logging.config.dictConfigClass(logs._stdlib(logging.INFO, logs._renderer("json")))
    plain = formatter.configure_formatter(formatter.config["formatters"]["plain"])
    line = plain.format(record)
    assert KEY not in line
    assert "/k/***/" in line
