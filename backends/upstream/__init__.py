"""The HTTP client: everything that speaks to a backend while a client waits."""
