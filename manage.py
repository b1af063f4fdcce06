#!/usr/bin/env python3
"""Django's command line, with one addition: a first start makes its keys before settings are read."""

import os
import sys

from proxy_site import firstrun


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_site.settings")
    firstrun.before_settings(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
