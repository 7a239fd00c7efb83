"""What a benchmark does that is started by itself."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.figure import Figure
from benchmarks.versions import NAMES


def set_up() -> None:
    """Django on the private services, unless the caller has chosen other settings."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.test")
    django.setup()


def run_by_network(description: str | None, figures: Callable[[Sequence[str]], Iterable[Figure]]) -> None:
    """Show the figures of the networks that the command line names; of all of them if it names none."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=NAMES)
    asked = parser.parse_args()
    set_up()
    show(figures(asked.networks))


def show(figures: Iterable[Figure]) -> None:
    """A line of JSON a figure, as soon as it is there; `benchmarks.run` reads them."""
    for figure in figures:
        print(json.dumps(dataclasses.asdict(figure), ensure_ascii=False, default=_plain), flush=True)


def _plain(number: Any) -> float | bool:
    """A NumPy number as Python's."""
    return number.item()
