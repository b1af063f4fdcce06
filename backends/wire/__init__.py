"""What backends say and want, kind by kind. Pure."""
