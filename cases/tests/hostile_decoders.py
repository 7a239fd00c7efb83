"""Decoders that misbehave, run by the sandbox's host in place of the real one."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path

import numpy as np

from cases.intake.decode import decode as decode_honestly
from cases.intake.facts import ImageFacts


def misbehave(data: bytes) -> tuple[np.ndarray, ImageFacts]:
    """Do what the file's first word says, or decode it."""
    deed = _DEEDS.get(data.partition(b" ")[0])
    if deed is not None:
        deed()
    return decode_honestly(data)


def _allocate() -> None:
    np.ones(8 << 30, dtype=np.uint8)


def _allocate_piece_by_piece() -> None:
    pieces = []
    while True:
        pieces.append(np.empty(1 << 24, dtype=np.uint8))


def _spin() -> None:
    while True:
        pass


def _sleep() -> None:
    time.sleep(600)


def _crash() -> None:
    ctypes.string_at(0)


def _write_a_file() -> None:
    Path(os.devnull).with_name("shm").joinpath(f"left-behind-{os.getpid()}").write_bytes(bytes(1 << 20))


def _read_the_password_file() -> None:
    Path("/etc/passwd").read_bytes()


def _call_somebody() -> None:
    socket.socket()


def _exit() -> None:
    os._exit(0)


def _raise() -> None:
    raise RuntimeError("a name from the file")


_DEEDS = {
    b"allocate": _allocate,
    b"hoard": _allocate_piece_by_piece,
    b"spin": _spin,
    b"sleep": _sleep,
    b"crash": _crash,
    b"write": _write_a_file,
    b"read": _read_the_password_file,
    b"call": _call_somebody,
    b"exit": _exit,
    b"raise": _raise,
}
