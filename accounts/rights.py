"""What a client key may be allowed beyond asking. Pure."""

MANAGE_MODELS = "manage_models"
"""Create, copy and delete aliases with the Ollama commands."""

RIGHTS = (MANAGE_MODELS,)
