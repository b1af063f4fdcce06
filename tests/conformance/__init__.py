"""Does a server answer as Ollama does? A black-box suite that needs nothing but a URL and a model.

    python -m tests.conformance --url http://host:11434 --model NAME [--key KEY]
    python -m tests.conformance --full [--markdown docs/conformance.md | --check docs/conformance.md]

The first form looks at any deployment, and leaves out what needs a backend that says what it is told to. The
second starts this project's own server in front of such a backend and leaves nothing out.

`sections` holds the vectors: each with its number, what must be seen, where that is known from, what it
needs, and a check. A check returns nothing when all is as in Ollama, a verdict when something is deliberately
different and was seen to be that difference, and raises `Failed` for anything else.
"""
