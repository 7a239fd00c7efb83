"""What the sandbox and its host process agree on, light enough for a web process to import.

The reply to one file is: a length (``LENGTH_BYTES``, big endian), JSON of that length, the preview PNG, and one of
the trailers ``FINISHED``, ``OVERRAN``, ``CRASHED``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

FINISHED, OVERRAN, CRASHED = b"DONE", b"LATE", b"DEAD"
TRAILER_BYTES = 4
LENGTH_BYTES = 4


@dataclass(frozen=True)
class Limits:
    """What the child that decodes one file may use; the kernel holds it to them."""

    address_space_bytes: int = 1 << 30
    cpu_seconds: int = 20
    wall_seconds: float = 30.0

    def as_json(self) -> str:
        return json.dumps(asdict(self))
