"""Which backends work: circuit breakers fed by what requests meet."""
