"""Every operation that the gateway answers for clients, by the path at which they ask it."""

from __future__ import annotations

from gateway.client_api import ClientApi
from ollama_api.anthropic.api import MESSAGES
from ollama_api.ollama import chat, embed, generate
from ollama_api.openai.chat import CHAT, COMPLETIONS
from ollama_api.openai.vectors import EMBEDDINGS
from ollama_api.responses.api import RESPONSES

GENERATIONS: dict[str, ClientApi] = {
    "/api/chat": chat.API,
    "/api/generate": generate.API,
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/messages": MESSAGES,
    "/v1/responses": RESPONSES,
}
"""What makes text, and can be traced."""

OPERATIONS: dict[str, ClientApi] = {
    **GENERATIONS,
    "/api/embed": embed.EMBED,
    "/api/embeddings": embed.EMBEDDINGS,
    "/v1/embeddings": EMBEDDINGS,
}
