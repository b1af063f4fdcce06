"""Where the server under test is, and what is known of its model."""

import os

URL = os.environ["LLAMAGATE_URL"]
MODEL = os.environ["LLAMAGATE_MODEL"]
ANSWER = os.environ["LLAMAGATE_ANSWER"]
"""A part of what the model says to QUESTION at temperature 0."""
QUESTION = "What is the capital of France?"
