"""The sandbox: hostile files end in a refusal, and the next file is decoded as if nothing had been."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from cases.intake.decode import decode
from cases.intake.errors import IntakeError, Reason
from cases.intake.preview import encode_preview
from cases.intake.sandbox import Sandbox, decode_safely
from cases.intake.sandbox_protocol import Limits
from cases.tests.files import gradient, jpeg, png


@pytest.fixture(scope="module")
def hostile_sandbox():
    """A sandbox with tight limits, whose decoder does what the file says."""
    limits = Limits(address_space_bytes=1 << 30, cpu_seconds=2, wall_seconds=4)
    sandbox = Sandbox("cases.tests.hostile_decoders:misbehave", limits)
    yield sandbox
    sandbox.close()


@pytest.fixture
def sandbox():
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def good_file(tmp_path):
    path = tmp_path / "good"
    path.write_bytes(png())
    return path


def test_the_sandbox_gives_what_decoding_here_gives(good_file):
    pixels, facts = decode(good_file.read_bytes())

    decoded = decode_safely(good_file)

    assert decoded.facts == facts
    assert decoded.preview_png == encode_preview(pixels)
    assert len(decoded.preview_sha256) == 64


def test_a_refusal_of_the_decoder_comes_through_with_its_sentence(tmp_path):
    path = tmp_path / "strip"
    path.write_bytes(png(np.zeros((1, 3000), np.uint8)))

    with pytest.raises(IntakeError, match="3000 x 1") as refusal:
        decode_safely(path)

    assert refusal.value.code == Reason.TOO_SMALL.code


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("allocate", Reason.DECODE_CRASHED),
        ("hoard", Reason.DECODE_CRASHED),
        ("crash", Reason.DECODE_CRASHED),
        ("exit", Reason.DECODE_CRASHED),
        ("raise", Reason.DECODE_CRASHED),
        ("write", Reason.DECODE_CRASHED),
        ("read", Reason.DECODE_CRASHED),
        ("call", Reason.DECODE_CRASHED),
        ("spin", Reason.DECODE_TIMEOUT),
        ("sleep", Reason.DECODE_TIMEOUT),
    ],
)
def test_a_hostile_file_is_refused_and_the_next_one_decoded(hostile_sandbox, good_file, tmp_path, deed, reason):
    path = tmp_path / "hostile"
    path.write_bytes(f"{deed} ".encode())

    with pytest.raises(IntakeError) as refusal:
        hostile_sandbox.decode(path)

    assert refusal.value.code == reason.code
    assert hostile_sandbox.decode(good_file).facts.rows == 96


def test_a_decoder_gap_is_logged_by_place_and_not_by_content(hostile_sandbox, tmp_path, caplog):
    path = tmp_path / "hostile"
    path.write_bytes(b"raise ")

    with pytest.raises(IntakeError):
        hostile_sandbox.decode(path)

    assert "RuntimeError at hostile_decoders.py" in caplog.text
    assert "a name from the file" not in caplog.text


def test_a_killed_host_is_replaced(sandbox, good_file):
    sandbox.decode(good_file)
    os.kill(sandbox.host_pid, signal.SIGKILL)

    assert sandbox.decode(good_file).facts.rows == 96


def test_a_host_that_cannot_start_is_no_fault_of_the_file(good_file):
    sandbox = Sandbox("cases.tests.hostile_decoders:there_is_no_such_decoder")

    with pytest.raises(IntakeError) as refusal:
        sandbox.decode(good_file)

    assert (refusal.value.code, refusal.value.status) == ("decoder_unavailable", 503)


def test_many_threads_get_their_own_answers(sandbox, tmp_path):
    answers = {}

    def ask(columns: int) -> None:
        path = tmp_path / str(columns)
        path.write_bytes(jpeg(gradient(64, columns)))
        answers[columns] = sandbox.decode(path).facts.columns

    threads = [threading.Thread(target=ask, args=(64 + number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {columns: columns for columns in range(64, 76)}


def test_two_files_at_most_are_decoded_at_once(hostile_sandbox, good_file, tmp_path):
    hostile_sandbox.decode(good_file)
    path, host = tmp_path / "hostile", hostile_sandbox.host_pid
    path.write_bytes(b"sleep ")

    def ask() -> None:
        with contextlib.suppress(IntakeError):
            hostile_sandbox.decode(path)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        seen = max(seen, len(Path(f"/proc/{host}/task/{host}/children").read_text().split()))

    assert seen == 2


def test_a_forked_process_starts_a_host_of_its_own(sandbox, good_file):
    sandbox.decode(good_file)
    parents_host = sandbox.host_pid
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        outcome = b"failed"
        try:
            if sandbox.host_pid is None and sandbox.decode(good_file).facts.rows == 96:
                outcome = b"own" if sandbox.host_pid != parents_host else b"shared"
            sandbox.close()
        finally:
            os.write(writing, outcome)
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)

    assert os.read(reading, 16) == b"own"
    os.close(reading)
    assert sandbox.decode(good_file).facts.rows == 96


def test_the_host_knows_neither_django_nor_the_environment_of_the_portal(sandbox, good_file):
    sandbox.decode(good_file)

    environment = Path(f"/proc/{sandbox.host_pid}/environ").read_bytes()
    maps = Path(f"/proc/{sandbox.host_pid}/maps").read_text()

    assert b"DATABASE_URL" not in environment
    assert b"SECRET" not in environment
    assert "psycopg2" not in maps


def test_importing_the_sandbox_loads_no_image_library():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, json, cases.intake.sandbox; print(json.dumps(list(sys.modules)))"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "cases.intake.sandbox" in json.loads(loaded)
    assert not {"numpy", "PIL", "pydicom", "django"} & set(json.loads(loaded))


def test_the_host_ends_with_the_process_that_started_it(good_file):
    script = (
        "import sys; from pathlib import Path; from cases.intake.sandbox import _sandbox, decode_safely;"
        "decode_safely(Path(sys.argv[1])); print(_sandbox.host_pid, flush=True); import os, signal;"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(good_file)], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, check=False
    )

    assert ended.returncode == -signal.SIGKILL
    assert _gone(int(ended.stdout))


def _gone(pid: int) -> bool:
    """Whether the process ends; waits for it without polling."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)
