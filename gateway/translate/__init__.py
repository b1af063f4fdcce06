"""Between the neutral request and the protocols of backends. Pure."""
