"""The repository itself: its tools, its shape, and what holds for all of its code."""
