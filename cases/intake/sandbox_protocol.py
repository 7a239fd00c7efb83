"""What the sandbox and its host process agree on, light enough for a web process to import.

A request is one byte, ``PREVIEW`` or ``VALUES``, with the file and the place for the reply. The reply is: a length
(``LENGTH_BYTES``, big endian), JSON of that length, the preview PNG or the packed values, and one of the trailers
``FINISHED``, ``OVERRAN``, ``CRASHED``. A child that was killed has left a part of this, and its trailer.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PREVIEW, VALUES = b"P", b"V"
FINISHED, OVERRAN, CRASHED = b"DONE", b"LATE", b"DEAD"
TRAILER_BYTES = 4
LENGTH_BYTES = 4
VALUES_FORMAT = 1
"""Of the packed values, see ``cases.intake.values``. Browsers that kept another one ask anew."""


@dataclass(frozen=True)
class Limits:
    """What the child that decodes one file may use; the kernel holds it to them."""

    address_space_bytes: int = 1 << 30
    cpu_seconds: int = 20
    wall_seconds: float = 30.0

    def as_json(self) -> str:
        return json.dumps(asdict(self))
