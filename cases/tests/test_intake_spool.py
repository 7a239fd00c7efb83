"""Files of a request while it is read: bounded, nameless, and each with a refusal of its own."""

from __future__ import annotations

import errno
import io
import os

import pytest

from cases.intake import spool, upload
from cases.intake.errors import IntakeError, Reason
from cases.intake.limits import MAX_BYTES
from cases.intake.spool import SpoolingUploadHandler
from cases.intake.upload import received


@pytest.fixture
def folder(settings, tmp_path):
    settings.INTAKE_TMP_DIR = tmp_path / "intake"
    return settings.INTAKE_TMP_DIR


@pytest.fixture
def handler(folder) -> SpoolingUploadHandler:
    handler = SpoolingUploadHandler()
    handler.new_file("images", "chest.png", "image/png", None)
    return handler


def test_a_file_comes_out_as_it_came_and_has_no_name(handler, folder):
    handler.receive_data_chunk(b"one ", 0)
    handler.receive_data_chunk(b"two", 4)
    file = handler.file_complete(7)

    assert list(folder.iterdir()) == []
    with received(file) as taken:
        assert (taken.path.read_bytes(), taken.original_name) == (b"one two", "chest.png")


def test_what_is_beyond_the_cap_is_dropped_and_the_file_refused(handler):
    handler.receive_data_chunk(b"x", MAX_BYTES - 1)
    handler.receive_data_chunk(b"x", MAX_BYTES)
    handler.receive_data_chunk(b"x", MAX_BYTES + 1)
    file = handler.file_complete(MAX_BYTES + 2)

    assert file.closed
    with pytest.raises(IntakeError) as refusal, received(file):
        pytest.fail("the block must not start")
    assert refusal.value.reason is Reason.TOO_LARGE


def test_no_room_for_another_file_refuses_it_and_not_the_request(handler, monkeypatch):
    def no_inode(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", no_inode)
    handler.new_file("images", "chest.png", "image/png", None)
    handler.receive_data_chunk(b"x", 0)
    file = handler.file_complete(1)

    for again in (file, io.BytesIO(b"x")):
        with pytest.raises(IntakeError) as refusal, received(again):
            pytest.fail("the block must not start")
        assert refusal.value.reason is Reason.NO_SPACE


def test_a_full_disk_refuses_the_file_and_not_the_request(handler):
    handler.file.file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the file closes it
    handler.receive_data_chunk(b"x", 0)

    with pytest.raises(IntakeError) as refusal, received(handler.file_complete(1)):
        pytest.fail("the block must not start")
    assert refusal.value.reason is Reason.NO_SPACE


def test_a_file_smaller_than_a_buffer_is_refused_by_a_full_disk_too(monkeypatch):
    full = spool._Unbuffered(os.open("/dev/full", os.O_RDWR), "w+b")
    monkeypatch.setattr(upload, "unnamed_file", lambda: full)

    with pytest.raises(IntakeError) as refusal, received(io.BytesIO(b"x")):
        pytest.fail("the block must not start")
    assert refusal.value.reason is Reason.NO_SPACE


def test_an_upload_that_breaks_off_leaves_nothing(handler):
    handler.receive_data_chunk(b"x", 0)

    handler.upload_interrupted()

    assert handler.file.closed
