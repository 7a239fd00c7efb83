"""`make reliability`: every row in a process of its own, to docs/evidence/reliability.json.

    python -m reliability [--scale 0.05] [--seed 1] [--lanes 3] [ROW ...]

A part may be run alone; what was found before about the others stays in the file. `F14` means all that begin so.
The exit status says whether every row passed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.run import commit, machine
from reliability.processes import end_cleanly_on_signals
from reliability.template import make_template
from scripts import with_services
from scripts.with_services import die_with_parent
from tests.processes import ROOT

EVIDENCE = ROOT / "docs" / "evidence" / "reliability.json"
_KEYS = ("cases", "lost", "doubled", "stuck", "slowest_recovery_seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--scale", type=float, default=1.0, help="of counts and waits; less than 1 proves less")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--lanes", type=int, default=3, help="rows at once; those that measure times run alone")
    parser.add_argument("--out", type=Path, default=EVIDENCE)
    parser.add_argument("--keep", action="store_true", help="leave files and logs behind")
    asked = parser.parse_args()
    end_cleanly_on_signals()
    with_services.locate()
    with with_services.temporary_folder() as folder:
        make_template(folder / "template")
        from reliability.rows import ROWS

        keys = _chosen(asked.rows, ROWS)
        if not keys:
            parser.error(f"there is no such row; there are {', '.join(ROWS)}")
        print(f"Seed {asked.seed}, scale {asked.scale:g}, rows {', '.join(keys)}.", flush=True)
        evidence = Evidence(asked.out, list(ROWS))
        running: list[subprocess.Popen] = []

        def run(key: str) -> bool:
            entry = _run(key, folder, asked, running, bucket=ROWS[key].setup.bucket)
            evidence.enter(key, entry)
            return entry is not None and entry["passed"]

        lanes = ThreadPoolExecutor(asked.lanes)
        try:
            passed = list(lanes.map(run, [key for key in keys if not ROWS[key].alone]))
            passed += [run(key) for key in keys if ROWS[key].alone]
        finally:
            for process in running:
                process.terminate()
            lanes.shutdown(cancel_futures=True)
        print(evidence.summary(), flush=True)
    return not all(passed)


def _chosen(names: Sequence[str], rows: Iterable[str]) -> list[str]:
    """The rows of these names, or all; none where one of the names is nothing's."""
    if not all(any(name in (key, key.partition("-")[0]) for key in rows) for name in names):
        return []
    return [key for key in rows if not names or {key, key.partition("-")[0]} & set(names)]


def _run(
    key: str, folder: Path, asked: argparse.Namespace, running: list[subprocess.Popen], *, bucket: bool
) -> dict | None:
    """Runs one row and gives its entry; none of a row that breaks off entirely."""
    out = folder / f"{key}.json"
    command = [sys.executable, "-m", "reliability.row", key, "--template", folder / "template", "--out", out]
    command += ["--scale", str(asked.scale), "--seed", asked.seed, *(["--keep"] if asked.keep else [])]
    command += ["--bucket"] if bucket else []
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=die_with_parent)
    running.append(process)
    if process.wait():
        print(f"{key} broke off.", flush=True)
        return None
    entry = json.loads(out.read_text(encoding="utf-8"))
    numbers = ", ".join(f"{name} {entry[name]}" for name in _KEYS)
    print(f"{key}: {'passed' if entry['passed'] else 'FAILED'} ({entry['took_seconds']} s): {numbers}", flush=True)
    for note in entry["notes"]:
        print(f"    {note}", flush=True)
    return entry


class Evidence:
    """The file of entries, one a row; each is written as soon as its row has ended, and the others stay as they are."""

    def __init__(self, path: Path, rows: list[str]):
        self._path, self._rows = path, rows
        self._writing = threading.Lock()  # rows end side by side

    def enter(self, key: str, entry: dict | None) -> None:
        """Writes the entry, or takes away the former one where the row broke off."""
        with self._writing:
            entries = self._entries()
            entries.pop(key, None)
            if entry is not None:
                measured = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
                entries[key] = entry | {"machine": machine(), "commit": commit(), "measured": measured}
            partial = self._path.with_suffix(".partial")
            ordered = {row: entries[row] for row in self._rows if row in entries}
            partial.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
            partial.replace(self._path)

    def summary(self) -> str:
        """What the file proves so far: rows that are missing, failed, or were run in part or on another commit."""
        entries, here = self._entries(), commit()
        kinds = {
            "missing": [row for row in self._rows if row not in entries],
            "failed": [row for row, entry in entries.items() if not entry["passed"]],
            "at a smaller scale": [row for row, entry in entries.items() if entry["scale"] < 1],
            "of another commit": [row for row, entry in entries.items() if entry["commit"] != here],
        }
        found = [f"{kind}: {', '.join(rows)}" for kind, rows in kinds.items() if rows]
        return f"{self._path.name}: {'; '.join(found) or 'every row passed'}."

    def _entries(self) -> dict[str, dict]:
        return json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
