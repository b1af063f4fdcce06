"""Every method of the official Python client: what the other files leave, and that none is left out."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import ollama
import pytest

from . import test_python_async_client as asynchronous
from . import test_python_client as plain
from .conversation import MESSAGES, MODEL, QUESTION
from .product import Newcomer

NO_BLOBS = "this server holds no weights"
KEY = {"Authorization": "Bearer of-the-cloud"}
QUESTIONS = {"night": {"type": "noul", "instructions": "Is it night?"}}


@pytest.fixture
def local(demo: Newcomer) -> Iterator[ollama.Client]:
    with ollama.Client(host=demo.address) as client:
        yield client


@pytest.fixture
async def other(demo: Newcomer) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=demo.url) as client:
        yield client


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    return file


def test_progress_is_streamed(local: ollama.Client) -> None:
    made = [part.status for part in local.create("shown", from_=MODEL, system="Be brief.", stream=True)]
    pulled = [part.status for part in local.pull("shown", stream=True)]
    assert (made[-1], pulled[0], pulled[-1]) == ("success", "pulling manifest", "success")
    assert local.delete("shown").status == "success"
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        list(local.pull("nobody", stream=True))
    with pytest.raises(ollama.ResponseError) as caught:
        list(local.push(MODEL, stream=True))
    assert caught.value.status_code == 403


async def test_the_commands_manage_aliases(other: ollama.AsyncClient) -> None:
    await other.create("terse-too", from_=MODEL, system="You are terse.")
    await other.copy("terse-too", "mine-too")
    assert "You are terse." in ((await other.show("mine-too")).modelfile or "")
    progress = [part.status async for part in await other.pull("mine-too", stream=True)]
    assert progress[-1] == "success"
    for alias in ("mine-too", "terse-too"):
        assert (await other.delete(alias)).status == "success"
    with pytest.raises(ollama.ResponseError) as caught:
        await other.push(MODEL)
    assert caught.value.status_code == 403


def test_what_is_refused(local: ollama.Client, weights: Path) -> None:
    with pytest.raises(ollama.ResponseError, match=NO_BLOBS) as blob:
        local.create_blob(weights)
    with pytest.raises(ollama.ResponseError, match="404 page not found") as scored:
        local.systemone(MODEL, "It is dark.", QUESTIONS)
    assert (blob.value.status_code, scored.value.status_code) == (501, 404)


async def test_what_is_refused_asynchronously(other: ollama.AsyncClient, weights: Path) -> None:
    with pytest.raises(ollama.ResponseError, match=NO_BLOBS) as blob:
        await other.create_blob(weights)
    with pytest.raises(ollama.ResponseError, match="404 page not found") as scored:
        await other.systemone(MODEL, "It is dark.", QUESTIONS)
    assert (blob.value.status_code, scored.value.status_code) == (501, 404)


def led_here(request: httpx.Request, product: Newcomer) -> httpx.Request:
    """Lead what is meant for the cloud here, as a proxy does that stands for ollama.com."""
    assert request.url.host == "ollama.com"
    headers = {**request.headers, "host": product.address}
    return httpx.Request("POST", f"{product.url}{request.url.path}", headers=headers, content=request.content)


class Transport(httpx.HTTPTransport):
    product: Newcomer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return super().handle_request(led_here(request, self.product))


class AsyncTransport(httpx.AsyncHTTPTransport):
    product: Newcomer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await super().handle_async_request(led_here(request, self.product))


def test_the_web_is_the_clouds(demo: Newcomer) -> None:
    transport = Transport()
    transport.product = demo
    with ollama.Client(host=demo.url, headers=KEY, transport=transport) as client:
        with pytest.raises(ollama.ResponseError, match="404 page not found"):
            client.web_search(QUESTION)
        with pytest.raises(ollama.ResponseError, match="404 page not found"):
            client.web_fetch("https://example.com")


async def test_the_web_is_the_clouds_asynchronously(demo: Newcomer) -> None:
    transport = AsyncTransport()
    transport.product = demo
    async with ollama.AsyncClient(host=demo.url, headers=KEY, transport=transport) as client:
        with pytest.raises(ollama.ResponseError, match="404 page not found"):
            await client.web_search(QUESTION)
        with pytest.raises(ollama.ResponseError, match="404 page not found"):
            await client.web_fetch("https://example.com")


def test_a_closed_client_asks_no_more(demo: Newcomer) -> None:
    client = ollama.Client(host=demo.url)
    assert client.list().models
    client.close()  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="closed"):
        client.chat(MODEL, MESSAGES)


async def test_a_closed_client_asks_no_more_asynchronously(demo: Newcomer) -> None:
    client = ollama.AsyncClient(host=demo.url)
    assert (await client.list()).models
    await client.close()  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="closed"):
        await client.chat(MODEL, MESSAGES)


Tests = dict[str, Callable[..., object]]
PLAIN: Tests = {
    "chat": plain.test_chat_whole,
    "close": test_a_closed_client_asks_no_more,
    "copy": plain.test_the_commands_manage_aliases,
    "create": plain.test_the_commands_manage_aliases,
    "create_blob": test_what_is_refused,
    "delete": plain.test_the_commands_manage_aliases,
    "embed": plain.test_embed,
    "embeddings": plain.test_the_old_embeddings,
    "generate": plain.test_generate_whole_and_streamed,
    "list": plain.test_list,
    "ps": plain.test_ps,
    "pull": plain.test_the_commands_manage_aliases,
    "push": plain.test_the_commands_manage_aliases,
    "show": plain.test_show,
    "systemone": test_what_is_refused,
    "web_fetch": test_the_web_is_the_clouds,
    "web_search": test_the_web_is_the_clouds,
}
ASYNCHRONOUS: Tests = {
    "chat": asynchronous.test_chat_whole_and_streamed,
    "close": test_a_closed_client_asks_no_more_asynchronously,
    "copy": test_the_commands_manage_aliases,
    "create": test_the_commands_manage_aliases,
    "create_blob": test_what_is_refused_asynchronously,
    "delete": test_the_commands_manage_aliases,
    "embed": asynchronous.test_embeddings,
    "embeddings": asynchronous.test_embeddings,
    "generate": asynchronous.test_generate_whole_and_streamed,
    "list": asynchronous.test_models,
    "ps": asynchronous.test_models,
    "pull": test_the_commands_manage_aliases,
    "push": test_the_commands_manage_aliases,
    "show": asynchronous.test_models,
    "systemone": test_what_is_refused_asynchronously,
    "web_fetch": test_the_web_is_the_clouds_asynchronously,
    "web_search": test_the_web_is_the_clouds_asynchronously,
}


@pytest.mark.parametrize(("client", "tests"), [(ollama.Client, PLAIN), (ollama.AsyncClient, ASYNCHRONOUS)])
def test_every_method_has_a_test(client: type, tests: Tests) -> None:
    """A method that a new release brings fails here, until a test calls it."""
    methods = [name for name, _ in inspect.getmembers(client, inspect.isfunction) if name[0] != "_"]
    assert methods == sorted(tests)
    assert [name for name, test in tests.items() if f".{name}(" not in inspect.getsource(test)] == []
