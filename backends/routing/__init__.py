"""From tables to the routing snapshot that requests read."""
