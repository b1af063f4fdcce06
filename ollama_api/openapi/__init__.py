"""The description of what clients see, in OpenAPI 3.1. Pure."""
