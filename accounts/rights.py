"""What a client key may be allowed beyond asking. Pure."""

MANAGE_MODELS = "manage_models"
"""Create, copy and delete aliases with the Ollama commands."""

TRACE = "trace"
"""See, with the header X-Llamagate-Trace, what became of each field of a request."""

RIGHTS = (MANAGE_MODELS, TRACE)
