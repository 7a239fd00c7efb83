"""The reference engine: TensorFlow through Keras, in float32, on CPU or GPU."""

from __future__ import annotations

import logging

import keras
import numpy as np
import tensorflow as tf

from inference.networks import NETWORKS
from inference.networks.arithmetic import keras_arithmetic
from inference.networks.arrays import assign, named_arrays
from inference.networks.splitting import plan_tail, receptive_grid
from inference.spec import ModelSpec
from inference.tail import Outputs, Tail

logger = logging.getLogger(__name__)


class TensorFlowEngine:
    """Builds the network from code and fills it with the model version's arrays."""

    name = "tensorflow"

    def load(self, spec: ModelSpec, arrays: dict[str, np.ndarray]) -> TensorFlowModel:
        """See `Engine.load`."""
        with keras_arithmetic("float32"):  # also where a training in this process set mixed precision
            network = NETWORKS[spec.network].build(len(spec.labels), size=spec.input_size)
            assign(network, arrays, spec.name)
            gpus = tf.config.list_logical_devices("GPU")
            where = ", ".join(gpu.name for gpu in gpus) or "the processor: TensorFlow sees no GPU"
            logger.info("%s: TensorFlow on %s.", spec.name, where)
            return TensorFlowModel(network, spec.gradcam_layer)


class TensorFlowModel:
    """A Keras network that ends in a softmax layer. See `LoadedModel`."""

    def __init__(self, network: keras.Model, gradcam_layer: str):
        self.grid = receptive_grid(network, gradcam_layer)
        self.plan = plan_tail(network, gradcam_layer)
        self.tail = Tail(self.plan, named_arrays(network, network.get_weights()))
        kept = keras.Model(network.input, [network.get_layer(name).output for name in self.tail.needed])

        # A fixed signature: one trace serves every batch size.
        @tf.function(input_signature=[tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)])
        def run(batch: tf.Tensor) -> list[tf.Tensor]:
            return kept(batch, training=False)

        self.function = run

    def run(self, batch: np.ndarray) -> Outputs:
        """See `LoadedModel.run`."""
        outputs = self.function(tf.constant(batch, tf.float32))
        return {name: output.numpy() for name, output in zip(self.tail.needed, outputs, strict=True)}
