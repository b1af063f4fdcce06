"""One line per Ollama route; the last line answers everything else."""

from django.urls import path

from ollama_api.door import door
from ollama_api.views import chat, embed, models
from ollama_api.views.fallback import unknown

urlpatterns = [
    path("", door(models.root, "GET", "HEAD", public=True)),
    path("api/version", door(models.version, "GET", "HEAD", public=True)),
    path("api/tags", door(models.tags, "GET", "HEAD")),
    path("api/ps", door(models.ps, "GET")),
    path("api/show", door(models.show, "POST")),
    path("api/chat", door(chat.chat, "POST")),
    path("api/generate", door(chat.generate, "POST")),
    path("api/embed", door(embed.embed, "POST")),
    path("api/embeddings", door(embed.embeddings, "POST")),
    path("<path:path>", unknown),
]
