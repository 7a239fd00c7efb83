"""A progress bar with remaining time that reads well in a terminal and in a log file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from inference.training.loop import EpochRecord, Step

_TERMINAL_INTERVAL_SECONDS = 0.2
_LOG_INTERVAL_SECONDS = 30.0
_SHORTEST_GUESS_SECONDS = 1.0  # earlier, a single quick step would promise an end in no time
_WIDTH = 30


class Stream(Protocol):
    """Where the bar is written."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class ProgressBar:
    """Shows how much of `total` is done; rewrites one line in a terminal, adds a line now and then elsewhere."""

    def __init__(self, total: int, stream: Stream, *, done: int = 0):
        self._total = total
        self._stream = stream
        self._first = done
        self._began = time.monotonic()
        self._shown = float("-inf")
        self._terminal = stream.isatty()

    def update(self, done: int, note: str = "") -> None:
        """Show the state when the last showing is long enough ago, and always at the end."""
        now = time.monotonic()
        interval = _TERMINAL_INTERVAL_SECONDS if self._terminal else _LOG_INTERVAL_SECONDS
        if done < self._total and now - self._shown < interval:
            return
        self._shown = now
        self._write(self._line(done, now, note), last=done >= self._total)

    def message(self, text: str) -> None:
        """Write a line of its own, above the bar."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()

    def _line(self, done: int, now: float, note: str) -> str:
        share = done / self._total if self._total else 1.0
        filled = round(share * _WIDTH)
        fresh, elapsed = done - self._first, now - self._began
        known = fresh > 0 and elapsed >= _SHORTEST_GUESS_SECONDS
        remaining = elapsed / fresh * (self._total - done) if known else None
        ends = "" if done >= self._total else f" ETA {duration(remaining)}" if remaining is not None else " ETA --"
        bar = "#" * filled + "." * (_WIDTH - filled)
        return f"[{bar}] {done}/{self._total} {share:4.0%}{ends}{'  ' + note if note else ''}"

    def _write(self, line: str, *, last: bool) -> None:
        if self._terminal:
            self._stream.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()


class TrainingScreen:
    """The progress bar over all epochs of a training, and a line for each finished one."""

    def __init__(self, stream: Stream, title: str = ""):
        self._stream = stream
        self._title = f"{title}: " if title else ""
        self._bar: ProgressBar | None = None

    def step(self, step: Step) -> None:
        """Show one step; for `Training.on_step`."""
        done = step.epoch * step.steps + step.step
        if self._bar is None:
            self._bar = ProgressBar(step.epochs * step.steps, self._stream, done=done - 1)
        note = f"epoch {step.epoch + 1}/{step.epochs}  loss {step.loss:.4f}  accuracy {step.accuracy:.4f}"
        self._bar.update(done, self._title + note)

    def epoch(self, record: EpochRecord) -> None:
        """Show one finished epoch; for `Training.on_epoch`."""
        assert self._bar is not None  # noqa: S101 - an epoch has steps
        self._bar.message(
            f"{self._title}epoch {record.epoch}: loss {record.loss:.4f}, accuracy {record.accuracy:.4f}, validation "
            f"loss {record.val_loss:.4f}, validation accuracy {record.val_accuracy:.4f}, {record.size} px, "
            f"{duration(record.seconds)}{'  (best so far)' if record.kept else ''}"
        )


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
