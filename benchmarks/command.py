"""What a benchmark does that is started by itself."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from typing import Any

from benchmarks.figure import Figure


def set_up() -> None:
    """Django on the private services, unless the caller has chosen other settings."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.test")
    django.setup()


def show(figures: Iterable[Figure]) -> None:
    """A line of JSON a figure, as soon as it is there; `benchmarks.run` reads them."""
    for figure in figures:
        print(json.dumps(dataclasses.asdict(figure), ensure_ascii=False, default=_plain), flush=True)


def _plain(number: Any) -> float | bool:
    """A NumPy number as Python's."""
    return number.item()
