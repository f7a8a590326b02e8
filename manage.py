#!/usr/bin/env python
"""Django's command line: `manage.py help` lists the commands."""

import os
import sys

from digitsite.counting import share_counts


def main() -> None:
    """Run a command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
    if sys.argv[1:2] == ["serve"]:
        share_counts()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Digitsite cannot start: {error}")  # the sentence, not the traceback


if __name__ == "__main__":
    main()
