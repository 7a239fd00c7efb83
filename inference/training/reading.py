"""Labelled files to images in memory, with the decoding of an upload and a progress bar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cases.intake.errors import IntakeError
from inference.files import read_subject
from inference.training.data import DataError, LabelledFiles, LabelledImages, read_images
from inference.training.progress import ProgressBar, Stream


def read_labelled(files: LabelledFiles, stream: Stream, groups: Mapping[Path, str] | None = None) -> LabelledImages:
    """Read every file; `groups` as for `read_images`.

    Raises:
        DataError: If a file is no usable image: training must not go on quietly without it.
    """
    bar = ProgressBar(len(files.paths), stream)
    done = iter(range(1, len(files.paths) + 1))

    def read(path: Path) -> np.ndarray:
        try:
            pixels = read_subject(path).pixels
        except IntakeError as error:
            raise DataError(f"{path} cannot be used: {error}") from error
        bar.update(next(done), "read")
        return pixels

    return read_images(files, read, groups)
