"""The Ollama protocol; no models."""

from django.apps import AppConfig


class OllamaApiConfig(AppConfig):
    """The clients' door."""

    name = "ollama_api"
    verbose_name = "Ollama API"
