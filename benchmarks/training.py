"""Figure 7, first half: images a second in training, float32 against mixed bfloat16, at each network's own size.

python -m benchmarks.training [--networks covidnet8 ...]
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.command import run_by_network
from benchmarks.figure import Figure
from benchmarks.measure import seconds, spread
from benchmarks.versions import NAMES
from inference.networks import NETWORKS
from inference.training.precision import keras_policy

BATCH = 32
STEPS = 3


def figures(networks: Sequence[str] = NAMES) -> Iterator[Figure]:
    """Images a second in both arithmetics."""
    for name in networks:
        medians = {}
        for policy in ("float32", "mixed_bfloat16"):
            taken = _steps(name, policy)
            medians[policy] = statistics.median(taken)
            rate = BATCH / medians[policy]
            yield Figure(f"training_{policy}_{name}", rate, "", STEPS, spread(taken), "images/s", f"batch of {BATCH}")
        gain = medians["float32"] / medians["mixed_bfloat16"]
        note = f"`train` takes {keras_policy()} on this processor"
        yield Figure(f"training_gain_{name}", gain, "", STEPS, None, note=note)


def _steps(name: str, policy: str) -> list[float]:
    import keras

    from inference.networks.arithmetic import keras_arithmetic

    network = NETWORKS[name]
    size = network.input_size
    images = np.random.default_rng(0).normal(size=(BATCH, size, size, network.channels)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[np.arange(BATCH) % 3]
    with keras_arithmetic(policy):
        model = network.build(3, normalised=True)
        model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy")
        return seconds({"step": lambda: model.train_on_batch(images, targets)}, STEPS)["step"]


if __name__ == "__main__":
    run_by_network(__doc__, figures)
