"""The one way this project says "no": a stable code, one sentence of cause, one of what to do.

Pages, API and commands all show the same two sentences (RFC 9457 problem details, see ``portal.problems``).
"""

from __future__ import annotations


class DomainError(Exception):
    """A request that cannot be carried out, told so that its sender can act on it.

    Subclasses set ``code`` and ``status``; the sentences hold nothing of a patient or of the machine.
    """

    code = "invalid"
    status = 400
    remedy = ""

    def __init__(self, cause: str, *, remedy: str | None = None, code: str | None = None):
        super().__init__(cause)
        self.cause = cause
        if remedy is not None:
            self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}".strip()


class Conflict(DomainError):
    """The object is not in a state that allows this; somebody else may have moved it first."""

    code = "conflict"
    status = 409
    remedy = "Reload the page and try again."


class NotAllowed(DomainError):
    """The object is visible, but this role may not do this with it."""

    code = "not_allowed"
    status = 403
    remedy = "Ask a lead radiologist or an administrator."
