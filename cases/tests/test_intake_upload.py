"""Receiving an upload: hash, size, name, and a temporary folder that stays empty."""

from __future__ import annotations

import errno
import hashlib
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import UnreadablePostError

from cases.intake.errors import IntakeError, Reason
from cases.intake.limits import MAX_BYTES
from cases.intake.sandbox import decode_safely
from cases.intake.upload import clean_name, received
from cases.tests.files import png


@pytest.fixture
def folder(settings, tmp_path):
    settings.INTAKE_TMP_DIR = tmp_path / "intake"
    settings.INTAKE_TMP_DIR.mkdir()
    return settings.INTAKE_TMP_DIR


class Endless:
    """A body that never ends."""

    name = "endless.jpg"

    def read(self, size: int) -> bytes:
        return bytes(size)


class BrokenOff:
    """A sender who hangs up."""

    name = "broken.jpg"

    def __init__(self, error: Exception):
        self.error = error
        self.read_once = False

    def read(self, size: int) -> bytes:
        if self.read_once:
            raise self.error
        self.read_once = True
        return b"\xff\xd8\xff"


@pytest.mark.parametrize("wrap", [io.BytesIO, lambda data: SimpleUploadedFile("a.png", data)], ids=["stream", "upload"])
def test_an_upload_is_there_whole_inside_the_block(folder, wrap):
    data = png()

    with received(wrap(data), name="scan.png") as upload:
        assert upload.path.read_bytes() == data
        assert upload.sha256 == hashlib.sha256(data).hexdigest()
        assert (upload.byte_size, upload.original_name) == (len(data), "scan.png")
        assert decode_safely(upload.path).facts.rows == 96


def test_nothing_has_a_name_in_the_temporary_folder_even_inside_the_block(folder):
    """So that a process killed here leaves nothing behind."""
    with received(io.BytesIO(b"x")) as upload:
        assert upload.path.exists()
        assert list(folder.iterdir()) == []
    assert list(folder.iterdir()) == []


def test_an_announced_hash_is_accepted_in_either_case(folder):
    announced = hashlib.sha256(b"bytes").hexdigest().upper()

    with received(io.BytesIO(b"bytes"), expected_sha256=announced) as upload:
        assert upload.sha256 == announced.lower()


@pytest.mark.parametrize(
    ("file", "expected", "reason"),
    [
        (io.BytesIO(b""), "", Reason.EMPTY_FILE),
        (io.BytesIO(b"bytes"), "0" * 64, Reason.SHA256_MISMATCH),
        (io.BytesIO(b"bytes"), "not a hash", Reason.SHA256_MALFORMED),
        (io.BytesIO(bytes(MAX_BYTES + 1)), "", Reason.TOO_LARGE),
        (Endless(), "", Reason.TOO_LARGE),
        (BrokenOff(UnreadablePostError("hung up")), "", Reason.UPLOAD_BROKEN),
    ],
    ids=["empty", "other hash", "malformed hash", "too large", "endless", "broken off"],
)
def test_a_bad_upload_is_refused_and_leaves_nothing(folder, file, expected, reason):
    with pytest.raises(IntakeError) as refusal, received(file, expected_sha256=expected):
        pytest.fail("the block must not start")

    assert (refusal.value.code, refusal.value.status) == (reason.code, reason.status)
    assert list(folder.iterdir()) == []


def test_an_upload_of_exactly_the_limit_is_received(folder):
    with received(io.BytesIO(bytes(MAX_BYTES))) as upload:
        assert upload.byte_size == MAX_BYTES


def test_an_error_inside_the_block_leaves_nothing(folder):
    with pytest.raises(RuntimeError), received(io.BytesIO(b"x")):
        raise RuntimeError

    assert list(folder.iterdir()) == []


def test_a_full_disk_is_told_as_such(folder):
    with pytest.raises(IntakeError) as refusal, received(BrokenOff(OSError(errno.ENOSPC, "full"))):
        pytest.fail("the block must not start")

    assert (refusal.value.code, refusal.value.status) == ("intake_no_space", 507)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("scan.png", "scan.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.dcm", "scan.dcm"),
        ("a\0b\r\nSet-Cookie: x.png", "abSet-Cookie: x.png"),
        ("gpj.\u202escan.exe", "gpj.scan.exe"),
        ("r\u00f6ntgen \u80ba.jpg", "r\u00f6ntgen \u80ba.jpg"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_file_names_are_cleaned_for_display(name, cleaned):
    assert clean_name(name) == cleaned
