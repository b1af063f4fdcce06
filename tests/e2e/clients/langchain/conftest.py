"""What LangChain's standard tests would fetch from elsewhere is given to them here."""

import base64

import httpx
import pytest
from langchain_tests.integration_tests import chat_models

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)


@pytest.fixture(autouse=True)
def _pictures_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image test downloads its picture; a test run asks nobody but the server under test."""

    def get(url: str, **_: object) -> httpx.Response:
        assert url.endswith(".png")
        return httpx.Response(200, content=PNG)

    monkeypatch.setattr(chat_models.httpx, "get", get)
