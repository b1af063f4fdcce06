"""A backend that was stored with an address that none may have is not called, and everybody is told why."""

import pytest

from tests.support import factories
from tests.support.ledger import RecordSpy
from tests.support.raw_http import Client

STORED = {
    "a link-local address": "http://169.254.169.254:9/v1",
    "one that a resolver makes of a name": "http://0xa9fea9fe:9/v1",
    "one within IPv6": "http://[::ffff:169.254.169.254]:9/v1",
    "metadata": "http://100.100.100.200:9/v1",
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("base_url", STORED.values(), ids=STORED)
def test_it_is_not_called(
    client: Client, ledger: RecordSpy, database: None, base_url: str, stream: bool
) -> None:
    factories.mapping("m", factories.backend(base_url))
    answer = client.chat(stream=stream)
    assert (answer.status, "upstream unavailable" in answer.error) == (502, True)
    (record,) = ledger.wait()
    assert "are refused: correct the backend's base URL" in record["reason"]


def test_an_address_that_is_none_of_the_usual_ones_says_so(
    client: Client, ledger: RecordSpy, database: None
) -> None:
    factories.mapping("m", factories.backend("http://127.1:9/v1"))
    assert client.chat().status == 502
    (record,) = ledger.wait()
    assert "write its address in the usual way" in record["reason"]
