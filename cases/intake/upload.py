"""Takes an upload off the wire: size cap, running SHA-256, a temporary file that cannot be left behind."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.core.files.base import File
from django.http import UnreadablePostError

from cases.intake.errors import IntakeError, Reason
from cases.intake.limits import MAX_BYTES
from cases.intake.spool import no_space, unnamed_file

_CHUNK_BYTES = 64 * 1024
_MAX_NAME = 200
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, direction overrides, line separators


@dataclass(frozen=True)
class ReceivedFile:
    """A whole upload on disk.

    Attributes:
        path: Where to open it, by this process and only inside the ``received`` block.
        sha256: Of its bytes, hexadecimal.
        byte_size: Its length.
        original_name: What the sender called it, cleaned for display; never used as a path.
    """

    path: Path
    sha256: str
    byte_size: int
    original_name: str


@contextmanager
def received(file: IO[bytes] | File, *, name: str = "", expected_sha256: str = "") -> Iterator[ReceivedFile]:
    """Stream ``file`` to a temporary file in ``settings.INTAKE_TMP_DIR`` for the length of the block.

    The temporary file has no name in that folder, so even a killed process leaves nothing behind.

    Args:
        file: An uploaded or opened file.
        name: What the sender called it; by default the file's own name.
        expected_sha256: The hash that the sender announced, or empty.

    Raises:
        IntakeError: ``file_empty``, ``file_too_large``, ``sha256_malformed``, ``sha256_mismatch``,
            ``upload_broken`` or ``intake_no_space``.
    """
    expected_sha256 = expected_sha256.strip().lower()
    if expected_sha256 and not re.fullmatch(r"[0-9a-f]{64}", expected_sha256):
        raise IntakeError(Reason.SHA256_MALFORMED)
    with unnamed_file() as copy:
        sha256, byte_size = _copied(file, copy)
        if expected_sha256 and not hmac.compare_digest(sha256, expected_sha256):
            raise IntakeError(Reason.SHA256_MISMATCH)
        yield ReceivedFile(
            path=Path(f"/proc/self/fd/{copy.fileno()}"),
            sha256=sha256,
            byte_size=byte_size,
            original_name=clean_name(name or getattr(file, "name", "") or ""),
        )


def clean_name(name: str) -> str:
    """The last component of a sender's file name, printable and at most 200 characters long; "unnamed" if empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(character for character in last if unicodedata.category(character) not in _UNPRINTABLE)
    cleaned = printable.strip(" .")[:_MAX_NAME]
    return cleaned or "unnamed"


def _copied(file: IO[bytes] | File, copy: IO[bytes]) -> tuple[str, int]:
    """(SHA-256, length) of what was copied."""
    digest, byte_size = hashlib.sha256(), 0
    try:
        for chunk in _chunks(file):
            byte_size += len(chunk)
            if byte_size > MAX_BYTES:
                raise IntakeError(Reason.TOO_LARGE)
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
    except UnreadablePostError as error:
        raise IntakeError(Reason.UPLOAD_BROKEN) from error
    except OSError as error:
        if no_space(error):
            raise IntakeError(Reason.NO_SPACE) from error
        raise
    if byte_size == 0:
        raise IntakeError(Reason.EMPTY_FILE)
    return digest.hexdigest(), byte_size


def _chunks(file: IO[bytes] | File) -> Iterator[bytes]:
    if isinstance(file, File):
        return iter(file.chunks(_CHUNK_BYTES))
    return iter(lambda: file.read(_CHUNK_BYTES), b"")
