"""Training state on disk: plain arrays and JSON, replaced whole so that a crash leaves the last good one."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.training.data import DataError

if TYPE_CHECKING:
    from inference.training.loop import TrainingState

_CHECKPOINT = "checkpoint.npz"
_BEST = "best.npz"
_HISTORY = "history.json"


class CheckpointError(DataError):
    """There is no usable checkpoint; the message is one sentence for the person who asked to resume."""


def save(folder: Path, state: TrainingState) -> None:
    """Write everything that a resumed training needs."""
    groups = {"weights": state.weights, "average": state.average or [], "optimizer": state.optimizer}
    arrays = {f"{group}/{index:03d}": array for group, members in groups.items() for index, array in enumerate(members)}
    arrays["steps"] = np.array(state.steps)
    # History travels inside as well: it must be of the same epoch as the arrays.
    arrays["history"] = np.array(json.dumps([asdict(record) for record in state.history]))
    write_arrays(folder / _CHECKPOINT, arrays)
    text = json.dumps([asdict(record) for record in state.history], indent=1)
    (folder / _HISTORY).write_text(text + "\n", encoding="utf-8")


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to resume from."""
    return (folder / _CHECKPOINT).is_file()


def load(folder: Path) -> TrainingState:
    """Read the state back; raises CheckpointError when there is none or it cannot be read."""
    from inference.training.loop import EpochRecord, TrainingState

    path = folder / _CHECKPOINT
    if not exists(folder):
        raise CheckpointError(f"There is no checkpoint in {folder} to resume from.")
    with _stored(path) as stored:
        names = sorted(stored.files)
        groups = {
            group: [stored[name] for name in names if name.startswith(f"{group}/")]
            for group in ("weights", "average", "optimizer")
        }
        steps = int(stored["steps"])
        history = [EpochRecord(**record) for record in json.loads(str(stored["history"]))]
    return TrainingState(groups["weights"], groups["average"] or None, groups["optimizer"], steps, history)


def save_best(folder: Path, weights: list[np.ndarray]) -> None:
    """Keep the best weights by validation so far."""
    write_arrays(folder / _BEST, {f"{index:03d}": array for index, array in enumerate(weights)})


def load_best(folder: Path) -> list[np.ndarray]:
    """The best weights by validation, in the order of `model.weights`; raises CheckpointError if they are not there."""
    with _stored(folder / _BEST) as stored:
        return [stored[name] for name in sorted(stored.files)]


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Replace an .npz file: after a crash or a power cut there is the old one or the new one, whole."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        np.savez(stream, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


@contextmanager
def _stored(path: Path) -> Iterator[Any]:
    """The arrays of an .npz file; raises CheckpointError where they are not what was written."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            yield stored
    # numpy says EOFError of an empty file, zipfile BadZipFile of one cut off.
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is damaged or missing; remove {path.parent} and train again.") from error
