"""Folders and a table about their files to an audit set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.audit.data import AuditSet
from inference.training.data import LabelledFiles, find_files
from inference.training.evaluation import groups_from_csv
from inference.training.progress import Stream
from inference.training.reading import read_labelled

SOURCE_COLUMN = "source"
AGE_COLUMN = "age_group"
_UNKNOWN = "unknown"


def read_audit_set(folders: Sequence[Path], labels: tuple[str, ...], table: Path | None, stream: Stream) -> AuditSet:
    """Read the images of all folders, each with one subfolder per class.

    Args:
        folders: For example the validation and the test folder.
        labels: Class names in the order of the model's outputs.
        table: CSV with the columns path (relative to itself), source and age_group; without it all are unknown.
        stream: Where progress is shown.

    Raises:
        DataError: If a folder, a class, the table or a column is missing, or a file is no usable image.
    """
    found = [find_files(folder, labels) for folder in folders]
    paths = tuple(path for files in found for path in files.paths)
    files = LabelledFiles(labels, paths, np.concatenate([files.targets for files in found]))
    sources, ages = (groups_from_csv(table, column) if table else {} for column in (SOURCE_COLUMN, AGE_COLUMN))
    images = read_labelled(files, stream)
    return AuditSet(
        labels=labels,
        images=images.images,
        targets=images.targets,
        sources=np.array([sources.get(path.resolve(), _UNKNOWN) for path in paths]),
        age_groups=np.array([ages.get(path.resolve(), _UNKNOWN) for path in paths]),
    )
