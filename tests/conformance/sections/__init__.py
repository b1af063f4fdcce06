"""All vectors, in the order of the matrix."""

from tests.conformance.sections import (
    access,
    anthropic,
    basics,
    chat_stream,
    chat_whole,
    clients,
    cloud,
    embeddings,
    generate,
    management,
    messages,
    models,
    names,
    openai,
    options,
    responses,
    switches,
)
from tests.conformance.vectors import Section, Vector

SECTIONS: tuple[Section, ...] = (
    basics.SECTION,
    names.SECTION,
    chat_whole.SECTION,
    chat_stream.SECTION,
    options.SECTION,
    switches.SECTION,
    messages.SECTION,
    generate.SECTION,
    models.SECTION,
    embeddings.SECTION,
    management.SECTION,
    access.SECTION,
    openai.SECTION,
    responses.SECTION,
    anthropic.SECTION,
    cloud.SECTION,
    clients.SECTION,
)


def every_vector() -> list[Vector]:
    """Give all of them, as they are numbered."""
    return sorted((one for section in SECTIONS for one in section.vectors), key=lambda one: one.number)
