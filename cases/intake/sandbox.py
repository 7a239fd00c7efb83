"""Decoding of files that strangers sent, outside this process.

A web process keeps one small *host* process (``decoder_host``), started with the first file. It forks a child per
file, limited in memory, CPU and wall time. A child that crashes, hangs or allocates without end is a refusal of
its file and nothing else; a host that was killed is replaced.

Only JSON, PNG and packed values come back, never a pickle: a subverted child gains nothing here.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.intake.errors import BY_CODE, IntakeError, Reason
from cases.intake.facts import ImageFacts
from cases.intake.sandbox_protocol import (
    CRASHED,
    FINISHED,
    LENGTH_BYTES,
    OVERRAN,
    PREVIEW,
    TRAILER_BYTES,
    VALUES,
    Limits,
)

logger = logging.getLogger(__name__)

_PROJECT = Path(__file__).resolve().parents[2]
_REPLY_AT_MOST_BYTES = 96 * 1024 * 1024  # a 40-megapixel PNG of noise, twice over
_GRACE_SECONDS = 5.0
_ENDING_SECONDS = 1.0
_ATTEMPTS = 2
_CHILDREN_AT_ONCE = 2  # of each web process: a child may take a gigabyte
_INHERITED_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True)
class Decoded:
    """A file as the portal keeps it.

    Attributes:
        preview_png: 8-bit grey PNG at full resolution, free of metadata.
        preview_sha256: Of these bytes, hexadecimal.
        facts: Of the original.
    """

    preview_png: bytes
    preview_sha256: str
    facts: ImageFacts


class _HostLost(Exception):
    """The host ended without a verdict; says nothing about the file."""


class _Host:
    """One running ``decoder_host``."""

    def __init__(self, decoder: str, limits: Limits):
        self._limits = limits
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cases.intake.decoder_host", str(theirs.fileno()), decoder, limits.as_json()],
                cwd=_PROJECT,
                env={name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ}
                | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, path: Path, wish: bytes) -> tuple[bytes, bytes]:
        """Reply and trailer for one file; ``wish`` is ``PREVIEW`` or ``VALUES``; many threads may ask at once."""
        mine, theirs = socket.socketpair()
        with mine:
            with theirs, open(path, "rb") as file:
                try:
                    socket.send_fds(self._control, [wish], [file.fileno(), theirs.fileno()])
                except OSError as error:
                    raise _HostLost from error
            reply, trailer = _received(mine, seconds=self._limits.wall_seconds + _GRACE_SECONDS)
        if trailer not in (FINISHED, OVERRAN, CRASHED):
            if self._has_ended():
                raise _HostLost
            return reply, CRASHED  # the child has ended, and the host could not say how
        return reply, trailer

    def _has_ended(self) -> bool:
        """Whether the host is gone; its sockets close shortly before it counts as ended."""
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Kill the host and collect it; children at work finish and answer."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def disown(self) -> None:
        """Leave the host to the process that this one was forked from."""
        self._control.close()
        self._process.returncode = 0  # not this process's child: nothing to wait for


class Sandbox:
    """Decodes files in limited children of a host process of its own.

    Args:
        decoder: ``"module:function"`` from bytes to pixels and facts, imported in the host.
        limits: Of each child.
    """

    def __init__(self, decoder: str = "cases.intake.decode:decode", limits: Limits | None = None):
        self._decoder, self._limits = decoder, limits or Limits()
        self._lock, self._places = threading.Lock(), threading.BoundedSemaphore(_CHILDREN_AT_ONCE)
        self._host: _Host | None = None
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        """A forked web or worker process must not share its parent's host, nor a lock that another thread held."""
        self._lock, self._places = threading.Lock(), threading.BoundedSemaphore(_CHILDREN_AT_ONCE)
        if self._host is not None:
            self._host.disown()
            self._host = None

    def decode(self, path: Path) -> Decoded:
        """Decode the file at ``path``.

        Raises:
            IntakeError: The decoder's refusal; ``decode_timeout``, ``decode_crashed``; or ``decoder_unavailable``
                when no host can be kept alive, or others are decoded for too long: no fault of the file.
        """
        verdict, preview = self._asked(path, PREVIEW)
        try:
            facts = ImageFacts.from_json(verdict["facts"])
        except (ValueError, TypeError, KeyError) as error:
            raise IntakeError(Reason.DECODE_CRASHED) from error
        return Decoded(preview, hashlib.sha256(preview).hexdigest(), facts)

    def values(self, path: Path) -> bytes:
        """The pixel values of the file at ``path`` as ``cases.intake.values.packed`` makes them.

        Raises:
            IntakeError: As ``decode``.
        """
        return self._asked(path, VALUES)[1]

    def _asked(self, path: Path, wish: bytes) -> tuple[dict[str, Any], bytes]:
        """What is said of the file, and what was made of it."""
        if not self._places.acquire(timeout=self._limits.wall_seconds):
            raise IntakeError(Reason.DECODER_UNAVAILABLE)
        try:
            for _ in range(_ATTEMPTS):
                host = self._running_host()
                try:
                    return _judged(*host.ask(path, wish))
                except _HostLost:
                    logger.warning("decoder host lost; starting another")
                    self._discard(host)
            raise IntakeError(Reason.DECODER_UNAVAILABLE)
        finally:
            self._places.release()

    @property
    def host_pid(self) -> int | None:
        """Process id of the running host, for supervision."""
        return None if self._host is None else self._host.pid

    def close(self) -> None:
        """End the host; the next file starts another."""
        if self._host is not None:
            self._discard(self._host)

    def _running_host(self) -> _Host:
        with self._lock:
            if self._host is None:
                try:
                    self._host = _Host(self._decoder, self._limits)
                except OSError as error:
                    raise IntakeError(Reason.DECODER_UNAVAILABLE) from error
            return self._host

    def _discard(self, host: _Host) -> None:
        with self._lock:
            if self._host is host:
                self._host = None
        host.end()


def _received(reply: socket.socket, *, seconds: float) -> tuple[bytes, bytes]:
    """Everything up to the end of the stream, as (reply, trailer).

    Raises:
        IntakeError: ``decode_timeout`` after ``seconds``, which the limits of a child should never let happen;
            ``decode_crashed`` for a reply larger than any image.
    """
    deadline = time.monotonic() + seconds
    received = bytearray()
    while True:
        reply.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = reply.recv(1 << 20)
        except TimeoutError:
            raise IntakeError(Reason.DECODE_TIMEOUT) from None
        if not part:
            break
        received += part
        if len(received) > _REPLY_AT_MOST_BYTES:
            raise IntakeError(Reason.DECODE_CRASHED)
    return bytes(received[:-TRAILER_BYTES]), bytes(received[-TRAILER_BYTES:])


def _judged(reply: bytes, trailer: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of a reply; raises IntakeError for a refusal, and for a reply that is none."""
    if trailer == OVERRAN:
        raise IntakeError(Reason.DECODE_TIMEOUT)
    if trailer == CRASHED:
        raise IntakeError(Reason.DECODE_CRASHED)
    try:
        made_starts = LENGTH_BYTES + int.from_bytes(reply[:LENGTH_BYTES])
        verdict = json.loads(reply[LENGTH_BYTES:made_starts])
        if "refused" not in verdict:
            return verdict, reply[made_starts:]
        reason, seen = BY_CODE[verdict["refused"]], verdict["seen"]
    except (ValueError, TypeError, KeyError) as error:
        raise IntakeError(Reason.DECODE_CRASHED) from error
    if "failure" in verdict:
        logger.error("decoder failed: %s", verdict["failure"])
    raise IntakeError(reason, seen=seen)


_sandbox = Sandbox()
atexit.register(_sandbox.close)


def decode_safely(path: Path) -> Decoded:
    """Decode the file at ``path`` in this process's sandbox.

    Raises:
        IntakeError: As ``Sandbox.decode``.
    """
    return _sandbox.decode(path)


def values_safely(path: Path) -> bytes:
    """The packed pixel values of the file at ``path``, from this process's sandbox.

    Raises:
        IntakeError: As ``Sandbox.decode``.
    """
    return _sandbox.values(path)
