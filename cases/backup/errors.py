from __future__ import annotations

from portal.errors import DomainError


class BackupError(DomainError):
    """A backup that cannot be made, or cannot be brought back."""

    code = "backup_failed"
    status = 500
