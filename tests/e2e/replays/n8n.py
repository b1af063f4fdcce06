"""n8n: the credential's test, the list of models, its own Ollama node, LangChain's chat and embeddings."""

from tests.support.raw_http import Answer

from . import readers
from .player import Replay, Step
from .stacks import N8N_AXIOS, OLLAMA_JS

# Source: n8n-io/n8n, packages/@n8n/nodes-langchain/credentials/OllamaApi.credentials.ts,
# nodes/llms/LMOllama/methods/loadOptions.ts, nodes/vendors/Ollama/actions/text/message.operation.ts.
# With the field for the key left empty the token of the Authorization header is empty.
NO_KEY = ("Authorization: Bearer ",)
JSON = ("Content-Type: application/json", *NO_KEY)
# What belongs beside the options stands among them.
OPTIONS = (
    '"options":{"temperature":0.1,"top_p":0.7,"top_k":40,"num_predict":20,"num_ctx":4096,"repeat_last_n":64,'
    '"min_p":0,"stop":["###"],"keep_alive":"5m","low_vram":false,"main_gpu":0,"num_batch":512,"num_gpu":-1,'
    '"num_thread":0,"penalize_newline":true,"use_mlock":false,"use_mmap":true,"vocab_only":false,"format":""}'
)
USER = '{"role":"user","content":"What is the capital of France?"}'
ASKED = '{"role":"user","content":"use calculator {\\"input\\": \\"1+1\\"}"}'
# The node gives the message back as it came, with the call's id and index.
RESULT = (
    '{"role":"assistant","content":"","tool_calls":[{"id":"call_0","function":{"index":0,"name":"calculator",'
    '"arguments":{"input":"1+1"}}}]},{"role":"tool","content":"2","tool_name":"calculator"}'
)
TOOLS = (
    '[{"type":"function","function":{"name":"calculator","description":"Calculates.","parameters":{"type":"object",'
    '"properties":{"input":{"type":"string"}},"additionalProperties":false,'
    '"$schema":"http://json-schema.org/draft-07/schema#"}}}]'
)


def node_chat(messages: str, tools: str = "[]") -> str:
    return f'{{"model":"$MODEL","messages":[{messages}],"stream":false,"tools":{tools},{OPTIONS}}}'


def calls_the_calculator(answer: Answer) -> None:
    assert answer.json["message"]["tool_calls"] == [
        {"id": "call_0", "function": {"index": 0, "name": "calculator", "arguments": {"input": "1+1"}}}
    ]


NODE_STEPS = (
    Step("GET /api/tags", readers.models, headers=NO_KEY),
    Step("POST /api/chat", readers.whole_text, node_chat(USER), JSON),
)
NODE_TOOLS = (
    Step("POST /api/chat", calls_the_calculator, node_chat(ASKED, TOOLS), JSON),
    Step("POST /api/chat", readers.whole_text, node_chat(f"{ASKED},{RESULT}", TOOLS), JSON),
)
# Recorded from @langchain/ollama 1.3.0.
CHAIN_STEPS = (
    Step(
        "POST /api/chat",
        readers.streamed_text,
        '{"model":"$MODEL","keep_alive":"5m","options":{"num_ctx":2048,"num_predict":-1,"top_k":40,'
        f'"temperature":0.7}},"messages":[{USER}],"stream":true}}',
    ),
    Step("POST /api/embed", readers.vectors(1), '{"model":"$EMBEDDER","input":["one"],"truncate":false}'),
)

REPLAYS = (
    Replay("n8n, its node", N8N_AXIOS, NODE_STEPS),
    Replay("n8n, its node with tools", N8N_AXIOS, NODE_TOOLS, is_for_any_model=False),
    Replay("n8n, LangChain", OLLAMA_JS, CHAIN_STEPS),
)
