"""Where a request's files are while the request is read: bounded, and without a name that could be left behind."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from cases.intake.errors import IntakeError, Reason
from cases.intake.limits import MAX_BYTES


class _Unbuffered(io.FileIO):
    """What did not fit on a full disk is not tried again when the file is closed, where nobody expects it to fail."""

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) :]
        return len(data)


def unnamed_file() -> IO[bytes]:
    """A temporary file that has no name in ``settings.INTAKE_TMP_DIR``: a killed process leaves nothing there.

    Raises:
        IntakeError: ``intake_no_space``.
    """
    folder = Path(settings.INTAKE_TMP_DIR)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return cast("IO[bytes]", _Unbuffered(os.dup(file.fileno()), "w+b"))
    except OSError as error:
        if no_space(error):
            raise IntakeError(Reason.NO_SPACE) from error
        raise


def no_space(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class SpooledFile(UploadedFile):
    """A file of a request. One that could not be kept raises its refusal when it is read, as its own problem."""

    refusal: IntakeError | None = None

    def refuse(self, reason: Reason) -> None:
        self.refusal = IntakeError(reason)
        self.close()

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        if self.refusal:
            raise self.refusal
        return super().chunks(chunk_size)


class SpoolingUploadHandler(FileUploadHandler):
    """Keeps each file up to the size cap; what comes beyond is read and dropped, so that the other files arrive."""

    file: SpooledFile

    def new_file(self, *args, **kwargs) -> None:
        super().new_file(*args, **kwargs)
        try:
            place, refusal = unnamed_file(), None
        except IntakeError as error:
            place, refusal = io.BytesIO(), error
        self.file = SpooledFile(place, self.file_name, self.content_type, 0, self.charset, self.content_type_extra)
        self.file.refusal = refusal

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.file.refusal:
            return
        if start + len(raw_data) > MAX_BYTES:
            self.file.refuse(Reason.TOO_LARGE)
            return
        try:
            self.file.write(raw_data)
        except OSError as error:
            if not no_space(error):
                raise
            self.file.refuse(Reason.NO_SPACE)

    def file_complete(self, file_size: int) -> SpooledFile:
        if not self.file.refusal:
            self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
