"""What all clients ask the demo model, so that its answers are known."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from console.demo_model import MODEL as MODEL

QUESTION = "What is the capital of France?"
ANSWER = "Paris"
MESSAGES = [{"role": "user", "content": QUESTION}]

EMBEDDING_LENGTH = 640
CONTEXT_LENGTH = 4096


def exact(num_predict: int = 30) -> dict[str, Any]:
    """Give options that make an answer repeatable and short."""
    return {"temperature": 0, "seed": 1, "num_predict": num_predict}


# Without the schema the model answers this with a sentence; with it, in few tokens.
FORM_QUESTION = f'{QUESTION} Answer like {{"city": "Rome", "area": "large"}}'
FORM_OPTIONS = exact(300)
"""More than any answer: the grammar allows 22 letters of white space between two words."""


class Capital(BaseModel):
    """A form that the model would never find by itself, and only a grammar can hold it to."""

    model_config = ConfigDict(extra="forbid", title="Capital")

    zone: Literal["north", "south"]
    capital: Literal["Berlin", "Rome", "Paris"]
