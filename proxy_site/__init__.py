"""Wiring: settings, server, connections, guard. Nothing imports it."""
