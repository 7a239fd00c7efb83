#!/usr/bin/env python
"""Command line of the portal; without DJANGO_SETTINGS_MODULE it runs the embedded mode (SQLite, no services)."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    # TensorFlow's notes at its start would bury a command's own progress and errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
