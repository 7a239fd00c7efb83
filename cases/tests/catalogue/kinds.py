"""How the catalogue describes a kind of file, and what is expected of intake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cases.intake.errors import Reason


@dataclass(frozen=True)
class Kind:
    """A kind of file that somebody may send.

    Attributes:
        make: Gives its bytes, the same ones at every call.
        status: HTTP status of the refusal; 0 for a file that is accepted.
        code: Stable code of the refusal.
        name: What the sender calls it.
        content_type: What the sender says it is.
        twin: Name of another kind whose preview, and with it whose score, must be the same.
    """

    make: Callable[[], bytes]
    status: int = 0
    code: str = ""
    name: str = "chest.png"
    content_type: str = "image/png"
    twin: str = ""


def accepted(make: Callable[[], bytes], **options: str) -> Kind:
    return Kind(make, **options)


def refused(make: Callable[[], bytes], reason: Reason, **options: str) -> Kind:
    return Kind(make, reason.status, reason.code, **options)
