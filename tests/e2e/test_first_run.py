"""A first start makes what is missing, once, and a second one finds it."""

import stat
from pathlib import Path

import ollama
import pytest

from tests.fake_backend import REPLY_TEXT, FakeBackend

from .conversation import MESSAGES
from .product import API_KEY, MODELS, PASSWORD, Newcomer

SECRETS = ("secret_key", "credential_keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_a_first_start_makes_lasts(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    where = ("--data-dir", str(data))
    with Newcomer(tmp_path / "first", *where) as product:
        assert len(PASSWORD.findall(product.output)) == 1
        assert f"No backend yet: add one at {product.url}/admin/backends/backend/add/" in product.output
        with ollama.Client(host=product.url) as client:
            assert client.list().models == []
            with pytest.raises(ollama.ResponseError, match=f"model '{MODELS[0]}' not found"):
                client.chat(MODELS[0], MESSAGES)
        product.terminate()
        assert product.wait() == 0
    assert mode(data) == 0o700
    assert [mode(data / name) for name in SECRETS] == [0o600] * 2
    made = {path.name: path.read_text() for path in map(data.joinpath, SECRETS)}

    with FakeBackend(models=MODELS, require_key=API_KEY) as fake, FakeBackend() as later:
        key = {"OPENAI_API_KEY": API_KEY}
        with Newcomer(tmp_path / "second", *where, **key, OPENAI_BASE_URL=fake.base_url) as product:
            assert not PASSWORD.findall(product.output)
            assert "Backend default made from OPENAI_API_KEY" in product.output
            assert API_KEY not in product.output
            _expect_chat(product)
        # There is a backend now, so the environment has no more say.
        with Newcomer(tmp_path / "third", *where, **key, OPENAI_API_BASE_URL=later.base_url) as product:
            assert not PASSWORD.findall(product.output)
            assert "made from OPENAI_API_KEY" not in product.output
            _expect_chat(product)
        assert later.requests == []
    assert {name: (data / name).read_text() for name in SECRETS} == made
    assert API_KEY.encode() not in b"".join(path.read_bytes() for path in data.iterdir())


def _expect_chat(product: Newcomer) -> None:
    with ollama.Client(host=product.url) as client:
        assert client.chat(MODELS[0], MESSAGES).message.content == REPLY_TEXT
        assert sorted(model.model or "" for model in client.list().models) == sorted(
            f"{name}:latest" for name in MODELS
        )
