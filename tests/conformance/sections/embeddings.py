"""POST /api/embed and POST /api/embeddings."""

import math

from tests.conformance.checks import (
    Json,
    close_enough,
    has_status,
    is_count,
    keys_within,
    ok,
    refused,
    same,
    true,
)
from tests.conformance.subject import NO_MODEL, Subject
from tests.conformance.vectors import WIRE, Need, Section
from tests.fake_backend import vector

SECTION = Section("Embeddings", "server/routes.go: EmbedHandler, EmbeddingsHandler, normalize")
NOTHING: tuple[Json, ...] = ({"input": []}, {"input": ""}, {}, {"input": None})
TOLERANCE = 1e-3


def embed(subject: Subject, **fields: object) -> Json:
    """Embed; give the object."""
    found: Json = ok(subject.server.post("/api/embed", {"model": subject.embedding_model, **fields}))
    return found


def _has_length_one(numbers: list[float]) -> None:
    true("the vector's length is one", math.isclose(math.hypot(*numbers), 1.0, abs_tol=TOLERANCE), numbers)


@SECTION.vector(89, "One text, several in order, none", WIRE, Need.EMBEDDING)
def _(subject: Subject) -> None:
    one, two = embed(subject, input="x"), embed(subject, input=["y", "x"])
    keys_within(
        "the reply", one, ("model", "embeddings", "total_duration", "load_duration", "prompt_eval_count")
    )
    same("model", one["model"], subject.embedding_model)
    is_count("total_duration", one["total_duration"])
    same("how many", (len(one["embeddings"]), len(two["embeddings"])), (1, 2))
    close_enough("the second is that of x", two["embeddings"][1], one["embeddings"][0])
    for fields in NOTHING:
        same("no input", embed(subject, **fields)["embeddings"], [])


@SECTION.vector(90, "`input` that is no text: 400 `invalid input type`", WIRE, Need.EMBEDDING)
def _(subject: Subject) -> None:
    wrong: tuple[object, ...] = ([1, 2], {}, 5)
    for value in wrong:
        body = {"model": subject.embedding_model, "input": value}
        refused(subject.server.post("/api/embed", body), 400, "invalid input type")


@SECTION.vector(91, "Vectors have length one, also when cut to `dimensions`", "TestNormalize", Need.EMBEDDING)
def _(subject: Subject) -> None:
    whole, cut = (embed(subject, input="x", **more)["embeddings"][0] for more in ({}, {"dimensions": 2}))
    _has_length_one(whole)
    _has_length_one(cut)
    same("the components of the cut one", len(cut), 2)


@SECTION.vector(92, "The older form: one vector, as the model gave it", WIRE, Need.EMBEDDING)
def _(subject: Subject) -> None:
    name = subject.embedding_model
    said = ok(subject.server.post("/api/embeddings", {"model": name, "prompt": "x"}))
    same("the one key", list(said), ["embedding"])
    true("numbers", said["embedding"] and all(isinstance(one, float) for one in said["embedding"]), said)
    if subject.scripted is not None:
        close_enough("not brought to length one", said["embedding"], vector("x"))
    same(
        "no prompt",
        ok(subject.server.post("/api/embeddings", {"model": name, "prompt": ""})),
        {"embedding": []},
    )


@SECTION.vector(129, "The input is looked at before the name", WIRE)
def _(subject: Subject) -> None:
    refused(subject.server.post("/api/embed", {"model": NO_MODEL, "input": [1]}), 400, "invalid input type")


@SECTION.vector(130, "Names in any case, on both", WIRE, Need.EMBEDDING)
def _(subject: Subject) -> None:
    name = subject.embedding_model.upper()
    same("embed", embed(subject, model=name, input="x")["model"], name)
    has_status(subject.server.post("/api/embeddings", {"model": name, "prompt": "x"}), 200)


@SECTION.vector(131, "A chat model embeds too, if its backend does", WIRE, Need.STAGE)
def _(subject: Subject) -> None:
    body = {"model": subject.text_model, "input": "x"}
    same("how many", len(ok(subject.server.post("/api/embed", body))["embeddings"]), 1)
