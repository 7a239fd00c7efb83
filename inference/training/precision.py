"""Which arithmetic this machine trains fastest in."""

from __future__ import annotations

from pathlib import Path

PRECISIONS = ("auto", "float32", "mixed_bfloat16")

# Flags of processors that multiply bfloat16 in hardware. Elsewhere it is emulated, and slower than float32.
_FAST_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})


def keras_policy(wanted: str = "auto", cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The Keras dtype policy for training: as wanted, or what suits this processor."""
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if _FAST_BFLOAT16 & _cpu_flags(cpuinfo) else "float32"


def _cpu_flags(cpuinfo: Path) -> frozenset[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())
