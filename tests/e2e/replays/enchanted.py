"""Enchanted, on a Mac or a phone: reachable by HEAD, and dates that must have a fraction."""

import re

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import CFNETWORK

# Source: kevinhermawan/OllamaKit, Sources/OllamaKit: Utils/OKRouter.swift, Responses/*.swift,
# RequestData/OKChatRequestData.swift, Extensions/JSONDecoder+Default.swift.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(Z|[+-]\d\d:\d\d)")


def has_swift_dates(answer: Answer) -> None:
    assert all(DATE.fullmatch(model["modified_at"]) for model in readers.models(answer))


def speaks_with_swift_dates(answer: Answer) -> None:
    assert all(DATE.fullmatch(line["created_at"]) for line in readers.chat_lines(answer))


STEPS = (
    Step("HEAD /", readers.nothing),
    Step("GET /api/tags", has_swift_dates),
    Step(
        "POST /api/chat",
        speaks_with_swift_dates,
        '{"stream":true,"options":{"num_predict":20,"temperature":0},"model":"$MODEL","messages":[{"role":"user",'
        '"content":"What is 1 \\/ 1?"}]}',
    ),
)

REPLAYS = (Replay("Enchanted", CFNETWORK, STEPS),)
