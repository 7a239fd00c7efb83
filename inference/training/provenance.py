"""Where a figure comes from: the code, the weights, the day and the command that made it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from inference.spec import ModelSpec

_REPOSITORY = Path(__file__).resolve().parents[2]


def provenance(members: Iterable[ModelSpec], command: Sequence[str] | None = None) -> dict[str, Any]:
    """What every evidence file states about itself.

    Args:
        members: The model versions measured.
        command: The command and its arguments; None takes those of this process.

    Returns:
        commit: Hash of the checked-out commit; None outside a Git checkout.
        dirty: Whether code or weights differed from that commit; None outside a Git checkout.
        date: The day in UTC, ISO 8601.
        command: One line for a shell, without this machine's folders.
        weights_sha256: By name of the model version.
    """
    commit = _git("rev-parse", "HEAD")
    # What is under docs/ is the outcome of such commands and changes no figure.
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)docs") if commit else None
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "command": command_line(sys.argv if command is None else command),
        "weights_sha256": {spec.name: spec.weights_sha256 for spec in members},
    }


def write_evidence(figures: dict[str, Any], path: Path) -> None:
    """Write figures as JSON, making the folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def command_line(arguments: Sequence[str]) -> str:
    """The arguments as one line for a shell; of an absolute path only the part inside the repository, or its end."""
    return shlex.join(_without_machine(argument) for argument in arguments)


def _without_machine(argument: str) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    path = Path(value)
    if path.is_absolute():
        value = str(path.relative_to(_REPOSITORY)) if path.is_relative_to(_REPOSITORY) else path.name
    return f"{option}{equals}{value}"


def _git(*arguments: str) -> str | None:
    """What Git says about this checkout; None where there is no Git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(_REPOSITORY), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
