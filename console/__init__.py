"""The operators' door: admin pages, commands, the configuration file."""
