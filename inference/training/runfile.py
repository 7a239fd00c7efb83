"""The file that says which training a run folder holds, so that none is overwritten or continued as another."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.training.data import DataError

_RUN_FILE = "run.json"


def holds_run(folder: Path) -> bool:
    """Whether a training was begun in this folder."""
    return (folder / _RUN_FILE).is_file()


def image_set(paths: Sequence[Path], groups: Sequence[str] = ()) -> str:
    """SHA-256 over the names of images, relative to the folder that all are in, and over the group of each.

    Args:
        paths: The images, in an order that does not depend on chance.
        groups: One for each image, or none where nothing groups them.
    """
    root = os.path.commonpath(paths)
    names = [os.path.relpath(path, root) for path in paths]
    return hashlib.sha256("\n".join([*names, *groups]).encode()).hexdigest()


def claim(folder: Path, about: dict[str, Any], *, resume: bool) -> None:
    """Make the run folder, or check that what is in it is the run to go on with.

    Args:
        folder: The run folder.
        about: What may not differ between the parts of one run; ready for JSON.
        resume: Go on with what is there.

    Raises:
        DataError: If a run would be overwritten, or continued as another one.
    """
    about = json.loads(json.dumps(about))  # tuples read back as lists
    path = folder / _RUN_FILE
    if not resume:
        if path.exists():
            raise DataError(f"{folder} holds a training already: give --resume, or another --out.")
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return
    if not path.is_file():
        raise DataError(f"There is no training in {folder} to resume.")
    stored = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name in sorted(about.keys() | stored.keys()) if about.get(name) != stored.get(name)]
    if different:
        raise DataError(f"The training in {folder} has another {' and another '.join(different)}.")
