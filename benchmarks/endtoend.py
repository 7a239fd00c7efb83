"""Figure 4: a thousand cases from the batch API to their results, over what the engine alone does on the same cores.

python scripts/with_services.py python -m benchmarks.endtoend [--cases 1000]
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import requests
from PIL import Image, ImageChops

from benchmarks.command import set_up, show
from benchmarks.figure import Figure
from benchmarks.versions import judge_with

CASES = 1000
GOAL = 0.6
_PER_REQUEST = 50
_SENDERS = 2
_SIDE = 512  # pixels of a sent JPEG
_TIMEOUT_SECONDS = 300


def figures(cases: int = CASES) -> Iterator[Figure]:
    """Cases a second from sending to result and from queue to result, and both over the engine's images a second."""
    from benchmarks.database import own_database
    from benchmarks.engines import images_per_second, loaded
    from benchmarks.processes import queue_rate

    spec, _, bare = loaded("covidnet8")
    engine = images_per_second(spec, bare)
    yield Figure("endtoend_engine", engine, "", cases, None, "images/s", "Covidnet-8 alone, no heatmap, batch of 16")
    with tempfile.TemporaryDirectory() as folder, own_database("benchmark_endtoend") as address:
        judge_with("covidnet8")
        queue = queue_rate(1, cases, address, Path(folder))
        yield Figure("worker_cases_per_second", queue, "", cases, None, "cases/s", "queued before, 224 pixels a side")
        yield Figure("worker_over_engine", queue / engine, "", cases, None)
        sent = _sent_and_judged(cases, address, Path(folder))
        yield Figure("endtoend_cases_per_second", sent, "", cases, None, "cases/s", f"JPEGs of {_SIDE} pixels a side")
        said = f"{_SENDERS} senders, {_PER_REQUEST} images a request; all processes on these cores"
        yield Figure("endtoend_over_engine", sent / engine, f">= {GOAL}", cases, None, "", said, sent / engine >= GOAL)


def _sent_and_judged(cases: int, address: str, media: Path) -> float:
    """Cases a second from the first request to the last result."""
    from django.contrib.auth import get_user_model
    from knox.models import get_token_model

    from benchmarks.processes import check_judged_once, environment_of, started, wait_for, workers
    from inference.models import Run
    from tests.processes import HOST, free_port

    before = Run.objects.count()
    _, token = get_token_model().objects.create(user=get_user_model().objects.get(username="benchmark"))
    pictures = _pictures(cases)
    environment = environment_of(address, media) | {"WEB_BIND": f"{HOST}:{(port := free_port())}"}
    with started("web", "Booting worker", environment), workers(1, environment):
        began = time.perf_counter()
        with ThreadPoolExecutor(_SENDERS) as senders:
            starts = range(0, cases, _PER_REQUEST)
            sending = [
                senders.submit(_send, f"http://{HOST}:{port}", token, start, pictures[start : start + _PER_REQUEST])
                for start in starts
            ]
            for sent in sending:
                sent.result()
        runs = Run.objects.order_by("pk")
        wait_for(runs)
        taken = time.perf_counter() - began
    check_judged_once(runs, before + cases)
    return cases / taken


def _send(site: str, token: str, first: int, pictures: Sequence[bytes]) -> None:
    """One request of the batch API; every image must be accepted."""
    names = [f"chest-{first + number}.jpg" for number in range(len(pictures))]
    items = [{"file_name": name, "medical_record_number": name.partition(".")[0]} for name in names]
    answer = requests.post(
        f"{site}/api/v1/batches/",
        headers={"Authorization": f"Token {token}"},
        data={"manifest": json.dumps({"items": items})},
        files=[("images", (name, picture, "image/jpeg")) for name, picture in zip(names, pictures, strict=True)],
        timeout=_TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    outcomes = [item["outcome"] for item in answer.json()["items"]]
    if outcomes != ["accepted"] * len(pictures):
        raise RuntimeError(f"Not every image was accepted: {answer.text[:1000]}")


def _pictures(count: int) -> list[bytes]:
    """Different JPEGs of much the same chest."""
    from cases.phantoms import phantom_pixels

    side = int(np.ceil(np.sqrt(count)))
    bases = [Image.fromarray(phantom_pixels(seed)).resize((_SIDE, _SIDE)) for seed in range(4)]
    pictures = []
    for number in range(count):
        buffer = io.BytesIO()
        across, down = divmod(number, side)
        ImageChops.offset(bases[number % 4], across - side // 2, down - side // 2).save(buffer, "JPEG", quality=92)
        pictures.append(buffer.getvalue())
    return pictures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=CASES)
    asked = parser.parse_args()
    set_up()
    show(figures(asked.cases))
