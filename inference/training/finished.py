"""A training from beginning to end, for whoever needs the network rather than the run."""

from __future__ import annotations

import keras

from inference.networks.arithmetic import keras_arithmetic
from inference.training import checkpoints
from inference.training.loop import Training
from inference.training.precision import keras_policy
from inference.training.publish import best_network


def train_to_end(training: Training, *, precision: str = "auto") -> keras.Model:
    """Run a training, or what is left of it, and return its best network as it would be served, in float32.

    Args:
        training: What to train; a checkpoint in its folder is gone on with.
        precision: One of `inference.training.precision.PRECISIONS`.
    """
    with keras_arithmetic(keras_policy(precision)):
        training.run(resume=checkpoints.exists(training.folder))
    best = checkpoints.load_best(training.folder)
    return best_network(training.network, training.train.labels, training.recipe, best)
