"""What the README and the server itself tell people to type, typed."""

import json
import re

from console.demo_model import MODEL
from tests.fake_backend import REPLY_TEXT, FakeBackend
from tests.support.environment import ROOT

from . import needs
from .product import Newcomer, shell

README_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def test_the_curl_line_of_the_demo(demo: Newcomer) -> None:
    needs.curl()
    lines = [json.loads(line) for line in shell(demo.printed("curl ")).splitlines()]
    assert "Paris" in "".join(line["message"]["content"] for line in lines)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_the_python_line_of_the_demo(demo: Newcomer) -> None:
    assert "Paris" in shell(demo.printed("OLLAMA_HOST="))


def test_the_shortest_python_program(demo: Newcomer) -> None:
    messages = '[{"role": "user", "content": "What is the capital of France?"}]'
    program = f'import ollama; print(ollama.chat(model="{MODEL}", messages={messages}))'
    assert "Paris" in shell(f"OLLAMA_HOST={demo.address} python -c '{program}'")


def test_the_python_program_of_the_readme(gateway: Newcomer, backend: FakeBackend) -> None:
    blocks = README_BLOCK.findall((ROOT / "README.md").read_text())
    (block,) = (block for block in blocks if "import ollama" in block)
    install, program = block.split("\n", 1)
    assert install == "pip install ollama"
    assert "127.0.0.1:11434" in program
    assert shell(program.replace("127.0.0.1:11434", gateway.address)).strip() == REPLY_TEXT
    assert [request.json["messages"] for request in backend.wait_requests(path="/chat/completions")] == [
        [{"role": "user", "content": "Hello!"}]
    ]
