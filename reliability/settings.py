"""The portal's processes as the rows run them: rehearsal settings, and faults that only this package brings about."""

from __future__ import annotations

from pathlib import Path

from portal.settings.rehearsal import *
from portal.settings.rehearsal import INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, "reliability"]
INTAKE_TMP_DIR = Path(env("INTAKE_TMP_DIR"))

FAULT_EXIT_AT = env("FAULT_EXIT_AT", default="")  # one of the points in reliability.faults
FAULT_FLAG = Path(env("FAULT_FLAG", default="/dev/null"))  # the process that removes this file is the one that exits
SAFETY_NET = env.bool("SAFETY_NET", default=True)
