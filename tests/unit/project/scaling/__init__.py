"""Does work grow as its input does? A table of every parser and translator, and how that is measured."""
