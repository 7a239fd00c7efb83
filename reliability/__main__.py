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
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.run import machine
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

        keys = [key for key in ROWS if not asked.rows or key in asked.rows or key.partition("-")[0] in asked.rows]
        if not keys:
            parser.error(f"there is no such row; there are {', '.join(ROWS)}")
        print(f"Seed {asked.seed}, scale {asked.scale:g}, rows {', '.join(keys)}.", flush=True)

        running: list[subprocess.Popen] = []

        def run(key: str) -> bool:
            return _run(key, folder, asked, running)

        lanes = ThreadPoolExecutor(asked.lanes)
        try:
            passed = list(lanes.map(run, [key for key in keys if not ROWS[key].alone]))
            passed += [run(key) for key in keys if ROWS[key].alone]
        finally:
            for process in running:
                process.terminate()
            lanes.shutdown(cancel_futures=True)
    return not all(passed)


def _run(key: str, folder: Path, asked: argparse.Namespace, running: list[subprocess.Popen]) -> bool:
    """Runs one row and writes its entry. A row that breaks off entirely gets no entry and did not pass."""
    out = folder / f"{key}.json"
    command = [sys.executable, "-m", "reliability.row", key, "--template", folder / "template", "--out", out]
    command += ["--scale", str(asked.scale), "--seed", asked.seed, *(["--keep"] if asked.keep else [])]
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=die_with_parent)
    running.append(process)
    if process.wait():
        print(f"{key} broke off.", flush=True)
        return False
    entry = json.loads(out.read_text(encoding="utf-8"))
    evidence = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    about = {"machine": machine(), "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    evidence[key] = entry | about
    asked.out.write_text(json.dumps(evidence, indent=1) + "\n", encoding="utf-8")
    numbers = ", ".join(f"{name} {entry[name]}" for name in _KEYS)
    print(f"{key}: {'passed' if entry['passed'] else 'FAILED'} ({entry['took_seconds']} s): {numbers}", flush=True)
    for note in entry["notes"]:
        print(f"    {note}", flush=True)
    return entry["passed"]


if __name__ == "__main__":
    sys.exit(main())
