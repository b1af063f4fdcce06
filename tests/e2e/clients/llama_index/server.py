"""Where the server under test is, and what is known of its model."""

import os
from typing import Any

URL = os.environ["LLAMAGATE_URL"]
MODEL = os.environ["LLAMAGATE_MODEL"]
ANSWER = os.environ["LLAMAGATE_ANSWER"]
"""A part of what the model says to QUESTION at temperature 0."""
QUESTION = "What is the capital of France?"
WHERE: dict[str, Any] = {"model": MODEL, "base_url": URL}
EXACT: dict[str, Any] = {"seed": 1, "num_predict": 30}
