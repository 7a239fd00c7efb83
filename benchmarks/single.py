"""Figure 1: one case, from the stored preview to the recorded prediction with heatmaps, against the thesis' way.

    python scripts/with_services.py python -m benchmarks.single [--networks covidnet8 ...]

The thesis' Flask demo loads a Keras model once and calls `predict` for each image; that call alone, on a prepared image
and without a heatmap, is the measure here.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.command import run_by_network
from benchmarks.figure import Figure
from benchmarks.measure import ratio
from benchmarks.versions import NAMES, version_of

REPEATS = 15
PATIENCE_SECONDS = 60


def figures(networks: Sequence[str] = NAMES) -> Iterator[Figure]:
    """Each network's pipeline against its own `predict`; the ensemble of all against the first network's."""
    from benchmarks.database import own_database

    with own_database("benchmark_single"):
        pipelines = _registered(networks)
        thesis = {name: _keras_predict(name) for name in networks}
        for name in networks:
            goal = 5.0 if name == "covidnet8" else None
            yield _compared(f"single_speedup_{name}", pipelines[name], thesis[name], goal)
        if len(networks) > 1:
            yield _compared("single_speedup_ensemble", pipelines["ensemble"], thesis[networks[0]], 1.0)


def _registered(networks: Sequence[str]) -> dict[str, object]:
    """A pipeline of each network and one of them all."""
    from django.conf import settings

    from inference import gate, registry
    from inference.catalogue import register_shipped_models
    from inference.models import ModelVersion, Pipeline, PipelineMember

    names = {}
    for network in networks:
        spec, arrays = version_of(network)
        if not spec.weights_file:
            spec = registry.install(spec, arrays, settings.SITE_WEIGHTS_DIR)
        names[network] = spec.name
    register_shipped_models()
    found = {}
    for title, members in [(name, [name]) for name in networks] + [("ensemble", list(networks))]:
        pipeline = Pipeline.objects.create(
            name=f"benchmark-{title}", version="1", gate_version=gate.VERSION, status=Pipeline.Status.RETIRED
        )
        for position, network in enumerate(members):
            name, _, version = names[network].partition("-")
            member = ModelVersion.objects.get(network__name=name, version=version)
            PipelineMember.objects.create(pipeline=pipeline, model_version=member, position=position, weight=1.0)
        found[title] = pipeline
    return found


def _keras_predict(network: str) -> Callable[[], object]:
    from inference.engines.tensorflow import assign
    from inference.networks import NETWORKS

    spec, arrays = version_of(network)
    model = NETWORKS[network].build(len(spec.labels), size=spec.input_size)
    assign(model, arrays, spec.name)
    image = np.zeros((1, *spec.input_shape), np.float32)
    return lambda: model.predict(image, verbose=0)


def _compared(key: str, pipeline, predict: Callable[[], object], goal: float | None) -> Figure:
    from inference import worker
    from inference.activation import activate_pipeline

    activate_pipeline(pipeline, actor=None)
    worker.warm_up()
    taken: dict[str, list[float]] = {"thesis": [], "portal": []}
    for turn in range(REPEATS + 1):
        run = _submitted(turn)
        calls = {"thesis": predict, "portal": lambda: worker.work(PATIENCE_SECONDS)}
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:  # the first is a warm-up
                taken[name].append(time.perf_counter() - began)
        run.refresh_from_db()
        if run.status != run.Status.SUCCEEDED:
            raise RuntimeError(f"The case was not judged: {run.status}, {run.failure_reason}")
    value, spread = ratio(taken, "thesis", "portal")
    medians = {name: 1e3 * statistics.median(values) for name, values in taken.items()}
    note = f"{medians['portal']:.1f} ms a case with heatmaps of all classes, {medians['thesis']:.1f} ms for `predict`"
    reached = None if goal is None else value >= goal
    return Figure(key, value, "" if goal is None else f">= {goal:.1f}", REPEATS, spread, "x", note, reached)


def _submitted(seed: int):
    """The queued run of a new case, sent through the intake as an upload is."""
    from benchmarks.processes import benchmark_submitter
    from cases.intake.upload import received
    from cases.phantoms import phantom
    from cases.services import CaseDetails, PatientDetails, accept_image
    from inference.models import Run

    before = Run.objects.count()
    with received(io.BytesIO(phantom(seed + 100 * before)), name="phantom.png") as upload:
        accept_image(
            received=upload,
            patient=PatientDetails(f"MRN-{before}"),
            target=CaseDetails(),
            actor=benchmark_submitter(),
        )
    return Run.objects.latest("pk")


if __name__ == "__main__":
    run_by_network(__doc__, figures)
