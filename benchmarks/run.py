"""`make bench`: every figure, each group in a process of its own, to results/latest.json and latest.md.

    python -m benchmarks.run [GROUP ...]

A part may be run alone; what the others found before stays in the results. Needs DATABASE_URL and REDIS_URL, as
scripts/with_services.py gives them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"
GROUPS = {
    "single": "1. A single case, decoded to stored, against `predict` of the loaded Keras model alone",
    "engines": "2 and 3. What a heatmap costs; the engine against the processor's arithmetic",
    "endtoend": "4. A thousand cases through the batch API",
    "listing": "5. Lists and case page, from a thousand cases to a million",
    "coordination": "6. The queue with networks that cost nothing",
    "training": "7. Training",
    "memory": "7. Memory",
    "viewer": "8. The viewer",
}


def main() -> int:
    """Run the groups asked for; the exit status says whether all of them ran, not whether goals were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"any of {', '.join(GROUPS)}; all if none")
    asked = parser.parse_args().groups or list(GROUPS)
    if unknown := set(asked) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there is {', '.join(GROUPS)}")
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    failed = [group for group in asked if not _measured(group, results)]
    if failed:
        print(f"Not measured: {', '.join(failed)}.", file=sys.stderr)
    return bool(failed)


def _measured(group: str, results: dict) -> bool:
    """Run one group in a child process and put what it found into the results."""
    print(f"\n{GROUPS[group]}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{group}"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "LOG_LEVEL": "ERROR"}
    found: dict[str, dict] = {}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            figure = json.loads(line)
            key = figure.pop("key")
            found[key] = figure | {"group": group}
            print(f"  {key}: {_text(figure)}", flush=True)
    if process.returncode == 0:
        kept = {key: value for key, value in results.get("figures", {}).items() if value["group"] != group}
        about = {"machine": machine(), "commit": commit(), "measured": _now(), "seconds": time.monotonic() - began}
        results["groups"] = results.get("groups", {}) | {group: about}
        results["figures"] = kept | found
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(page(results), encoding="utf-8")
    return process.returncode == 0


def page(results: dict) -> str:
    """The results as Markdown."""
    lines = ["# Benchmarks", "", "Written by `make bench`; how to read it is in [README](../README.md).", ""]
    for group, title in GROUPS.items():
        if group not in results["groups"]:
            continue
        about = results["groups"][group]
        lines += [f"## {title}", "", f"{about['machine']}. Commit {about['commit']}, {about['measured']}.", ""]
        lines += ["| figure | value | goal | | n | spread | |", "|---|---|---|---|---|---|---|"]
        for key, figure in results["figures"].items():
            if figure["group"] == group:
                mark = {None: "", True: "reached", False: "**missed**"}[figure["passed"]]
                spread = "" if figure["spread"] is None else f"± {figure['spread']:.1%}"
                value = f"{_number(figure['value'])} {figure['unit']}".strip()
                lines.append(
                    f"| {key} | {value} | {figure['goal']} | {mark} | {figure['n']} | {spread} | {figure['note']} |"
                )
        lines.append("")
    return "\n".join(lines)


def _text(figure: dict) -> str:
    mark = {None: "", True: ", reached", False: ", MISSED"}[figure["passed"]]
    goal = f" (goal {figure['goal']}{mark})" if figure["goal"] else ""
    return f"{_number(figure['value'])} {figure['unit']}{goal} {figure['note']}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine() -> str:
    """Processor, cores, arithmetic, memory and system, in a line."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split("\t", 1) for line in info.splitlines() if "\t" in line)
    model = fields.get("model name", platform.processor()).lstrip("\t: ")
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in fields.get("flags", "").split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    arithmetic = ", ".join(flags)
    return f"{os.cpu_count()} cores of {model} ({arithmetic}), {memory:.0f} GB, Python {platform.python_version()}"


def commit() -> str:
    """Short name of what is checked out, with a mark where it was changed; measurements themselves are no change."""
    code = ("--", ".", ":!benchmarks/results", ":!docs/evidence")
    changed = _git("status", "--porcelain", "--untracked-files=no", *code)
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


if __name__ == "__main__":
    sys.exit(main())
