"""One line per Ollama route; the last line answers everything else."""

from django.urls import path, re_path

from ollama_api.anthropic import views as anthropic
from ollama_api.api_shapes import ANTHROPIC, OPENAI
from ollama_api.door import add_request_id, door
from ollama_api.fallback import unknown
from ollama_api.ollama import cloud, embed, manage, models
from ollama_api.ollama import views as chat
from ollama_api.openai import media
from ollama_api.openai import views as openai

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
    path("api/pull", door(manage.pull, "POST")),
    path("api/create", door(manage.create, "POST")),
    path("api/copy", door(manage.copy, "POST")),
    path("api/delete", door(manage.delete, "DELETE")),
    path("api/push", door(manage.push, "POST")),
    path("api/blobs/<str:digest>", door(manage.blob, "HEAD", "POST", has_body=False)),
    path("api/status", door(cloud.status, "GET")),
    path("api/me", door(cloud.me, "POST", has_body=False)),
    path("api/signout", door(cloud.signout, "POST", has_body=False)),
    path("api/user/keys/<path:key>", door(cloud.forget_key, "DELETE", has_body=False)),
    path("api/experimental/web_search", door(cloud.web_search, "POST")),
    path("api/experimental/web_fetch", door(cloud.web_fetch, "POST")),
    path("api/experimental/model-recommendations", door(cloud.recommendations, "GET")),
    path("v1/chat/completions", door(openai.chat, "POST", face=OPENAI)),
    path("v1/completions", door(openai.completions, "POST", face=OPENAI)),
    path("v1/embeddings", door(openai.embeddings, "POST", face=OPENAI)),
    # No other verbs: what is asked here becomes a path at the backend.
    re_path(
        r"v1/images/(?P<verb>generations|edits|variations)\Z",
        door(media.images, "POST", face=OPENAI),
    ),
    re_path(
        r"v1/audio/(?P<verb>speech|transcriptions|translations)\Z",
        door(media.audio, "POST", face=OPENAI),
    ),
    path("v1/models", door(openai.models, "GET", face=OPENAI)),
    path("v1/models/<path:name>", door(openai.model, "GET", face=OPENAI)),
    path("v1/responses", door(openai.respond, "POST", face=OPENAI)),
    path("v1/messages", door(anthropic.messages, "POST", face=ANTHROPIC)),
    path("v1/messages/count_tokens", door(anthropic.count_tokens, "POST", face=ANTHROPIC)),
    # Not <path:...>, which does not match a line feed.
    re_path(r"(?P<path>(?s:.*))\Z", add_request_id(unknown), name="unknown"),
]
