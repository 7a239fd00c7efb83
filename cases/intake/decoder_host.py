"""The process that decodes strangers' files: started by ``sandbox``, forks one limited child per file.

Started as ``python -m cases.intake.decoder_host FD DECODER LIMITS``. It has the image libraries loaded and
nothing else: no Django, no database, no secrets in its environment. A child decodes its file, replies and ends the
reply with a trailer (``sandbox_protocol``); for one that was killed the host adds the trailer. Every limit is the
kernel's, so a child cannot outlive it whatever library it hangs in.
"""

from __future__ import annotations

import codecs
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.charset import python_encoding

from cases.intake.errors import IntakeError, Reason
from cases.intake.facts import ImageFacts
from cases.intake.limits import MAX_BYTES
from cases.intake.preview import encode_preview
from cases.intake.sandbox_protocol import CRASHED, FINISHED, LENGTH_BYTES, OVERRAN, PREVIEW, VALUES, Limits
from cases.intake.values import packed, values_of

Decoder = Callable[[bytes], tuple[np.ndarray, ImageFacts]]
Maker = Callable[[bytes], tuple[dict[str, Any], bytes]]
"""From a file to what is said of it, and what it was asked for."""

_OPEN_FILES = 0  # beside those that are open: a subverted child opens no file and no socket


def main() -> None:
    """Serve until the process that started this one closes its end of the control socket."""
    descriptor, decoder_name, limits_json = sys.argv[1:4]
    module, _, function = decoder_name.partition(":")
    decoder: Decoder = getattr(importlib.import_module(module), function)
    makers: dict[bytes, Maker] = {PREVIEW: partial(_preview, decoder), VALUES: _values}
    _load_what_is_loaded_on_first_use()
    gc.freeze()  # a collection in a child would copy the pages of all that the host has loaded
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C and TERM reach the whole group; uploads in flight may finish
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _serve(socket.socket(fileno=int(descriptor)), makers, Limits(**json.loads(limits_json)))


def _load_what_is_loaded_on_first_use() -> None:
    """A child can open no file, so it has what the host has: what Pillow needs, and the character sets of DICOM."""
    Image.preinit()
    for module in ("PIL.ImageOps", "PIL.TiffImagePlugin"):  # for Exif
        importlib.import_module(module)
    for encoding in set(python_encoding.values()):
        codecs.lookup(encoding)


def _serve(control: socket.socket, makers: dict[bytes, Maker], limits: Limits) -> None:
    """Fork a child for every file that comes, and bury it when it ends."""
    events = selectors.DefaultSelector()
    events.register(control, selectors.EVENT_READ)
    while True:
        for event, _ in events.select():
            if event.fileobj is not control:
                events.unregister(event.fileobj)
                _bury(*event.data)
                continue
            message, descriptors, _flags, _address = socket.recv_fds(control, 1, 2)
            if not message:
                return
            file_descriptor, reply_descriptor = descriptors
            child = os.fork()
            if child == 0:
                _decode_and_end(makers[message], limits, file_descriptor, reply_descriptor)
            os.close(file_descriptor)
            ended = os.pidfd_open(child)
            events.register(ended, selectors.EVENT_READ, (child, ended, reply_descriptor))


def _bury(child: int, ended: int, reply_descriptor: int) -> None:
    """Say how a child ended that did not say so itself; a sender that does not listen is not waited for."""
    _pid, status = os.waitpid(child, 0)
    os.close(ended)
    if status != 0:
        overran = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGXCPU)
        os.set_blocking(reply_descriptor, False)
        with suppress(OSError):
            os.write(reply_descriptor, OVERRAN if overran else CRASHED)
    os.close(reply_descriptor)


def _decode_and_end(maker: Maker, limits: Limits, file_descriptor: int, reply_descriptor: int) -> None:
    """Decode one file under the limits and write the reply. Never returns."""
    status = 1
    try:
        _forget_all_but(file_descriptor, reply_descriptor)
        _confine(limits)
        with open(file_descriptor, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        verdict, made = _made(maker, data)
        answer = json.dumps(verdict).encode()
        _send(reply_descriptor, len(answer).to_bytes(LENGTH_BYTES) + answer)
        _send(reply_descriptor, made)
        _send(reply_descriptor, FINISHED)
        status = 0
    finally:
        os._exit(status)


def _forget_all_but(*descriptors: int) -> None:
    """A child can neither ask the host nor answer for other children."""
    last = 2  # input, output and errors
    for descriptor in sorted(descriptors):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _confine(limits: Limits) -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # libraries' complaints may quote the file
    for kind, value in (
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        hard = value + 1 if kind == resource.RLIMIT_CPU else value  # at the hard limit comes KILL instead of XCPU
        resource.setrlimit(kind, (value, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def _preview(decoder: Decoder, data: bytes) -> tuple[dict[str, Any], bytes]:
    pixels, facts = decoder(data)
    return {"facts": facts.as_json()}, encode_preview(pixels)


def _values(data: bytes) -> tuple[dict[str, Any], bytes]:
    return {}, b"".join(packed(values_of(data)))


def _made(maker: Maker, data: bytes) -> tuple[dict[str, Any], bytes]:
    """What to say of the file, and what was made of it; nothing for a refused one."""
    try:
        return maker(data)
    except IntakeError as error:
        return {"refused": error.code, "seen": error.seen}, b""
    except BaseException as error:  # a gap in the decoder: the file is refused, and where it failed goes to the log
        last = traceback.extract_tb(error.__traceback__)[-1]
        failure = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        return {"refused": Reason.DECODE_CRASHED.code, "seen": "", "failure": failure}, b""


def _send(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
