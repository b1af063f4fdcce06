"""One line per Ollama route; the last line answers everything else."""

from django.urls import path, re_path

from ollama_api import media
from ollama_api.anthropic.api import MESSAGES
from ollama_api.anthropic.views import count_tokens
from ollama_api.api_shapes import ANTHROPIC, OPENAI
from ollama_api.door import add_request_id, door
from ollama_api.fallback import answer_unknown_path
from ollama_api.ollama import chat, cloud, embed, generate, manage, model_views, sign_in
from ollama_api.openai import chat as openai
from ollama_api.openai.vectors import EMBEDDINGS
from ollama_api.openai.views import list_models, show_model
from ollama_api.responses.api import RESPONSES

urlpatterns = [
    path("", door(model_views.root, "GET", "HEAD", public=True)),
    path("api/version", door(model_views.version, "GET", "HEAD", public=True)),
    path("connect", door(sign_in.connect, "GET", "HEAD", public=True)),
    path("api/tags", door(model_views.tags, "GET", "HEAD")),
    path("api/ps", door(model_views.ps, "GET")),
    path("api/show", door(model_views.show, "POST")),
    path("api/chat", door(chat.API, "POST")),
    path("api/generate", door(generate.API, "POST")),
    path("api/embed", door(embed.EMBED, "POST")),
    path("api/embeddings", door(embed.EMBEDDINGS, "POST")),
    path("api/pull", door(manage.pull, "POST")),
    path("api/create", door(manage.create, "POST")),
    path("api/copy", door(manage.copy, "POST")),
    path("api/delete", door(manage.delete, "DELETE")),
    path("api/push", door(manage.push, "POST")),
    path("api/blobs/<str:digest>", door(manage.blob, "HEAD", "POST", has_body=False)),
    path("api/status", door(cloud.status, "GET")),
    path("api/me", door(sign_in.me, "POST", has_body=False)),
    path("api/signout", door(cloud.signout, "POST", has_body=False)),
    path("api/user/keys/<path:key>", door(cloud.forget_key, "DELETE", has_body=False)),
    path("api/experimental/web_search", door(cloud.web_search, "POST")),
    path("api/experimental/web_fetch", door(cloud.web_fetch, "POST")),
    path("api/experimental/model-recommendations", door(model_views.recommend, "GET")),
    path("v1/chat/completions", door(openai.CHAT, "POST", api=OPENAI)),
    path("v1/completions", door(openai.COMPLETIONS, "POST", api=OPENAI)),
    path("v1/embeddings", door(EMBEDDINGS, "POST", api=OPENAI)),
    # No other verbs: what is asked here becomes a path at the backend.
    re_path(
        r"v1/images/(?P<verb>generations|edits|variations)\Z",
        door(media.images, "POST", api=OPENAI),
    ),
    re_path(
        r"v1/audio/(?P<verb>speech|transcriptions|translations)\Z",
        door(media.audio, "POST", api=OPENAI),
    ),
    path("v1/models", door(list_models, "GET", api=OPENAI)),
    path("v1/models/<path:name>", door(show_model, "GET", api=OPENAI)),
    path("v1/responses", door(RESPONSES, "POST", api=OPENAI)),
    path("v1/messages", door(MESSAGES, "POST", api=ANTHROPIC)),
    path("v1/messages/count_tokens", door(count_tokens, "POST", api=ANTHROPIC)),
    # Not <path:...>, which does not match a line feed.
    re_path(r"(?P<path>(?s:.*))\Z", add_request_id(answer_unknown_path), name="unknown"),
]
