"""Double reading: whether a signed read ends its case, or which read comes next.

The second reader reads blind to the first read; where their labels differ, a lead decides. Amendments start nothing.
"""

from __future__ import annotations

import struct

from django.utils.crypto import salted_hmac

from cases.models import AiStatus, Case, Review, Stage


def next_stage(case: Case, read: Review) -> Stage | None:
    """What is due once ``read`` is signed; None where it ends the case.

    Args:
        case: The case as it stands, locked.
        read: The read of the case's present stage, with its final label.
    """
    match case.stage:
        case Stage.FIRST:
            return Stage.SECOND if _is_read_twice(case, read) else None
        case Stage.SECOND:
            first = case.reviews.signed().get(stage=Stage.FIRST, signed_version=1)
            return None if first.final_label == read.final_label else Stage.ADJUDICATION
    return None


def _is_read_twice(case: Case, read: Review) -> bool:
    facility = case.facility
    if facility.double_read_if_ai_indeterminate and case.ai_status == AiStatus.INDETERMINATE:
        return True
    if facility.double_read_if_ai_disagrees and case.ai_status == AiStatus.READY and case.ai_label != read.final_label:
        return True
    return draw(case) < facility.double_read_percent / 100


def draw(case: Case) -> float:
    """A number in [0, 1) for the case: the same at every asking, and not to be foretold without the secret key."""
    digest = salted_hmac("cases.second_reads", str(case.uid), algorithm="sha256").digest()
    return struct.unpack(">Q", digest[:8])[0] / 2**64
