"""What a probe asks, and what the answers to it prove."""

import base64
import re
import struct
import zlib
from typing import Any

import msgspec
import pytest

from backends.errors import UpstreamRejected, UpstreamTimeout
from backends.wire.dialect import Dialect, ThinkStyle
from backends.wire.dialects import DIALECTS
from gateway.answer import AnswerFunction, AnswerToolCall
from gateway.translate import probe_questions
from gateway.translate.chat_completions import build_chat
from gateway.translate.probe_questions import Answer, Question
from tests.golden.replay import target

GENERIC, LLAMA = DIALECTS["generic"], DIALECTS["llamacpp"]
ANY = re.compile("image")


def question(capability: str) -> Question:
    (found,) = (one for one in probe_questions.questions("m") if one.capability == capability)
    return found


def judged(capability: str, dialect: Dialect = GENERIC, **fields: Any) -> str:
    return question(capability).judge(Answer(**fields), dialect)[0]


def called(name: str) -> tuple[AnswerToolCall, ...]:
    return (AnswerToolCall("1", AnswerFunction(0, name, msgspec.Raw(b"{}"))),)


class TestVerdicts:
    @pytest.mark.parametrize("capability", ["tools", "streamed tools"])
    def test_tools(self, capability: str) -> None:
        assert judged(capability, calls=called("get_time")) == "yes"
        assert judged(capability, calls=called("another"), text="x") == "no"
        assert judged(capability, text="It is noon.") == "no"
        assert judged(capability, thinking="Hm", is_cut=True) == "unclear"

    def test_vision(self) -> None:
        assert judged("vision", text="It is Yellow.") == "yes"
        assert judged("vision", text="I cannot see images.") == "unclear"

    def test_thinking(self) -> None:
        assert judged("thinking", LLAMA, thinking="Hm", text="9.9") == "yes"
        assert judged("thinking", LLAMA, text="<think>Hm</think>9.9") == "yes"
        assert judged("thinking", LLAMA, text="9.9", hidden_tokens=64) == "yes"
        assert judged("thinking", LLAMA, text="9.9") == "no"
        assert judged("thinking", LLAMA, is_cut=True) == "unclear"
        assert (
            judged("thinking", msgspec.structs.replace(GENERIC, think=ThinkStyle()), text="9.9") == "unclear"
        )

    def test_schema(self) -> None:
        assert judged("schema", text=' {"word": "teal"}\n') == "yes"
        assert judged("schema", text='{"word": "blue"}') == "no"
        assert judged("schema", text="```json") == "no"
        assert judged("schema", is_cut=True) == "unclear"

    def test_insert(self) -> None:
        assert judged("insert", LLAMA, text="a + b") == "yes"
        assert judged("insert", text="a + b", prompt_tokens=120) == "yes"
        assert judged("insert", text="a + b", prompt_tokens=12) == "no"
        assert judged("insert", text="a + b") == "unclear"
        assert judged("insert", LLAMA) == "unclear"

    def test_completion(self) -> None:
        first = probe_questions.first_question("m")
        assert first.judge(Answer(text="OK"), GENERIC)[0] == "yes"
        assert first.judge(Answer(), GENERIC)[0] == "unclear"


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 403, 404, 405, 415, 422, 501])
    def test_a_refusal_is_a_no(self, status: int) -> None:
        verdict, evidence = probe_questions.refusal(UpstreamRejected("b", status, "cannot"), ANY)
        assert (verdict, evidence) == ("no", f"status {status}: cannot")

    @pytest.mark.parametrize("status", [401, 408, 429, 502, 503])
    def test_a_failure_is_unclear(self, status: int) -> None:
        assert probe_questions.refusal(UpstreamRejected("b", status, "image"), ANY)[0] == "unclear"
        assert probe_questions.refusal(UpstreamTimeout("b", 1), ANY)[0] == "unclear"

    def test_a_500_counts_if_it_names_what_cannot_be_done(self) -> None:
        assert (
            probe_questions.refusal(
                UpstreamRejected("b", 500, "Image input is not supported"), question("vision").told_by
            )[0]
            == "no"
        )
        assert (
            probe_questions.refusal(UpstreamRejected("b", 500, "out of memory"), question("vision").told_by)[
                0
            ]
            == "unclear"
        )

    @pytest.mark.parametrize(
        ("message", "is_unknown"),
        [
            ("The model `x` does not exist", True),
            ("model 'x' not found", True),
            ("Invalid model name passed in model=x", True),
            ("This is not a chat model", False),
            ("x does not support chat", False),
        ],
    )
    def test_a_model_that_is_not_there_is_told_from_one_that_cannot(
        self, message: str, is_unknown: bool
    ) -> None:
        assert probe_questions.is_about_the_model(UpstreamRejected("b", 404, message)) is is_unknown


class TestWhatIsAsked:
    def test_the_picture_is_a_png_of_one_colour(self) -> None:
        data = base64.b64decode(probe_questions.picture())
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        parts, at = {}, 8
        while at < len(data):
            (size,) = struct.unpack_from(">I", data, at)
            kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
            (check,) = struct.unpack_from(">I", data, at + 8 + size)
            assert check == zlib.crc32(kind + body)
            parts[kind], at = body, at + 12 + size
        width, height, depth, kind_of_colour = struct.unpack_from(">IIBB", parts[b"IHDR"])
        assert (width, height, depth, kind_of_colour) == (64, 64, 8, 2)
        rows = zlib.decompress(parts[b"IDAT"])
        assert rows == (b"\x00" + b"\xff\xff\x00" * 64) * 64
        assert len(data) < 1000

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_every_dialect_can_be_asked_and_every_limit_is_small(self, dialect: str) -> None:
        to = target(dialect)
        for one in [probe_questions.first_question("m"), *probe_questions.questions("m")]:
            is_asked = to.dialect.accepts_images or one.capability != "vision"
            request = one.make_request()
            if request.prompt is None and is_asked:
                body = build_chat(request, to)
                budget = body.get("thinking", {}).get("budget_tokens", 0)
                assert budget <= 2048
                assert body[to.dialect.max_tokens] <= 1024 + budget

    def test_thinking_is_off_but_where_it_is_asked_for(self) -> None:
        switches = {one.capability: one.make_request().think for one in probe_questions.questions("m")}
        assert switches.pop("thinking") == "low"
        assert not any(switches.values())
