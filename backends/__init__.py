"""Where requests go: backends, API keys, mappings; routing, discovery, HTTP client, wire formats."""
