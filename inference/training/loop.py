"""The training loop: plain Keras 3, so it runs on any of its backends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from inference import preprocessing
from inference.networks import NetworkDefinition
from inference.networks.arrays import assign
from inference.training import checkpoints
from inference.training.augment import augment
from inference.training.data import DataError, LabelledImages, draw, mix
from inference.training.initial import settle
from inference.training.recipes import Recipe

_AVERAGE_EVERY = 8  # steps; averaging at every step would copy 27 MB each time and change nothing visible
_SETTLED_ON = 8  # batches from which the statistics of a normalisation are taken


@dataclass(frozen=True)
class Step:
    """One step done, for whoever shows progress. `loss` is the mean over the epoch so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float


@dataclass
class EpochRecord:
    """What one epoch came to; `kept` says that its weights were the best so far."""

    epoch: int
    size: int
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    kept: bool = False


@dataclass
class TrainingState:
    """All that a resumed training needs.

    Attributes:
        weights: The network's arrays, in the order of `model.weights`.
        average: Their running average, or None where the recipe has none.
        optimizer: The optimiser's arrays, in the order of `optimizer.variables`.
        steps: Steps done in all.
        history: One record per finished epoch.
    """

    weights: list[np.ndarray]
    average: list[np.ndarray] | None
    optimizer: list[np.ndarray]
    steps: int = 0
    history: list[EpochRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Training:
    """One training job: what is trained on what, how, for how long, and where it is kept.

    `initial` are named arrays to start from, of the network as the recipe builds it; None starts from chance.
    """

    network: NetworkDefinition
    recipe: Recipe
    train: LabelledImages
    val: LabelledImages
    epochs: int
    seed: int
    folder: Path
    initial: dict[str, np.ndarray] | None = None
    on_step: Callable[[Step], None] = lambda step: None
    on_epoch: Callable[[EpochRecord], None] = lambda record: None

    def run(self, *, resume: bool = False) -> list[EpochRecord]:
        """Train to the end and return the history; every epoch leaves a checkpoint, every best one its weights.

        Args:
            resume: Go on from the checkpoint in `folder`. Another number of epochs than before is allowed: rate and
                resolution follow the new length from there on.

        Raises:
            CheckpointError: If there is nothing to resume.
            DataError: If more epochs are done already than are asked for.
        """
        keras.utils.set_random_seed(self.seed)
        state = checkpoints.load(self.folder) if resume else None
        first = len(state.history) if state else 0
        if first > self.epochs:
            raise DataError(f"The training in {self.folder} has {first} epochs already; ask for {first} or more.")
        for size, start, stop in self._stages(first):
            state = self._run_stage(size, start, stop, state)
        return state.history if state else []

    def _stages(self, first: int) -> list[tuple[int, int, int]]:
        """Group the remaining epochs into (input side, first epoch, epoch after the last)."""
        stages: list[tuple[int, int, int]] = []
        for epoch in range(first, self.epochs):
            size = self.recipe.size_at(epoch, self.epochs, self.network.input_size)
            if stages and stages[-1][0] == size:
                stages[-1] = (size, stages[-1][1], epoch + 1)
            else:
                stages.append((size, epoch, epoch + 1))
        return stages

    def _run_stage(self, size: int, start: int, stop: int, state: TrainingState | None) -> TrainingState:
        """Train the epochs of one resolution; the weights' shapes do not depend on it, so the state carries over."""
        recipe = self.recipe
        model = self.network.build(
            len(self.train.labels), size=size, initializer=recipe.initializer, normalised=recipe.normalised
        )
        optimizer = keras.optimizers.Adam(
            recipe.learning_rate, weight_decay=recipe.weight_decay or None, global_clipnorm=recipe.clip_norm
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        optimizer.build(model.trainable_variables)
        model.compile(
            optimizer,
            keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
            metrics=["accuracy"],
        )
        images = np.stack([preprocessing.scale(image, size) for image in self.train.images])
        if state is None:
            averaged = recipe.average_decay is not None
            if self.initial is not None:
                assign(model, self.initial, self.network.name)
                batches = _TrainBatches(self, images, start)
                settle(model, (batches[index][0] for index in range(min(_SETTLED_ON, len(batches)))))
            state = TrainingState(model.get_weights(), model.get_weights() if averaged else None, [])
        else:
            model.set_weights(state.weights)
            for variable, value in zip(optimizer.variables, state.optimizer, strict=True):
                variable.assign(value)
        keeper = _Keeper(self, model, size, state)
        for epoch in range(start, stop):
            # One fit an epoch: batches and dropout are then known from seed and epoch alone, also after a resume.
            _seed_layers(model, self.seed, epoch)
            model.fit(
                _TrainBatches(self, images, epoch),
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=False,
                verbose=0,
                callbacks=[keeper],
            )
        return state

    def steps_before(self, size: int) -> int:
        """Steps of the epochs before the first one at this input side."""
        sizes = [self.recipe.size_at(epoch, self.epochs, self.network.input_size) for epoch in range(self.epochs)]
        return sizes.index(size) * self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch; the last, shorter batch of an epoch counts."""
        return -(-(self.recipe.epoch_images or len(self.train)) // self.recipe.batch_size)


def _seed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout and the like draw what belongs to a seed and an epoch, counted from 0, whatever was drawn before.

    The state of these draws is among a model's variables, but not its weights, so no checkpoint has it.
    """
    weights = {id(variable) for variable in model.weights}
    states = [variable for variable in model.variables if id(variable) not in weights]
    drawn = np.random.SeedSequence([seed, epoch]).generate_state(2 * len(states)).reshape(-1, 2)
    drawn //= 2  # fits the integers of every backend, signed ones of 32 bits too
    for state, value in zip(states, drawn, strict=True):
        state.assign(value.astype(state.dtype))


class _TrainBatches(keras.utils.PyDataset):
    """Drawn, augmented batches of one epoch, made in one background thread."""

    def __init__(self, training: Training, images: np.ndarray, epoch: int):
        super().__init__(workers=1, max_queue_size=6)
        self._training = training
        self._images = images  # those of the training, at this stage's size
        self._epoch = epoch
        self._how = training.recipe.augmentation_at(epoch, training.epochs)
        self._normalise = preprocessing.normalisation(training.recipe.preprocessing, training.network.channels)
        rng = np.random.default_rng([training.seed, epoch])
        count = training.recipe.epoch_images or len(training.train)
        self._order = draw(training.train, count, training.recipe.balance, rng)

    def __len__(self) -> int:
        return self._training.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        data, recipe = self._training.train, self._training.recipe
        rng = np.random.default_rng([self._training.seed, self._epoch, index])
        batch = self._order[index * recipe.batch_size :][: recipe.batch_size]
        grey = keras.ops.convert_to_numpy(augment(self._images[batch], rng, self._how))
        images = self._normalise(grey.round().astype(np.uint8))
        targets = np.eye(len(data.labels), dtype=np.float32)[data.targets[batch]]
        return mix(images, targets, recipe.mixup, rng) if recipe.mixup else (images, targets)


class _Keeper(keras.callbacks.Callback):
    """Sets the rate before each step, averages weights, validates, and writes what a resume needs."""

    def __init__(self, training: Training, model: keras.Model, size: int, state: TrainingState):
        super().__init__()
        self._training = training
        self._network = model
        self._size = size
        self._state = state
        self._stage_began = training.steps_before(size)
        self._epoch = 0
        self._began = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._began = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        done = self._epoch + batch / self._training.steps_per_epoch
        self._network.optimizer.learning_rate = self._training.recipe.rate_at(done, self._training.epochs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._state.steps += 1
        if self._state.steps % _AVERAGE_EVERY == 0:
            self._update_average()
        logs = logs or {}
        self._training.on_step(
            Step(
                epoch=self._epoch,
                epochs=self._training.epochs,
                step=batch + 1,
                steps=self._training.steps_per_epoch,
                loss=float(logs.get("loss", np.nan)),
                accuracy=float(logs.get("accuracy", np.nan)),
            )
        )

    def _update_average(self) -> None:
        decay = self._training.recipe.average_decay
        if decay is None or self._state.average is None:
            return
        # Early on the average must follow quickly, or it would remember the random start for epochs; and so after a
        # change of resolution, to which the statistics of normalisation belong.
        updates = (self._state.steps - self._stage_began) // _AVERAGE_EVERY
        keep = min(decay**_AVERAGE_EVERY, updates / (updates + 9))
        for mean, value in zip(self._state.average, self._network.get_weights(), strict=True):
            mean += (1 - keep) * (value - mean)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        state, logs = self._state, logs or {}
        state.weights = self._network.get_weights()
        state.optimizer = [keras.ops.convert_to_numpy(variable) for variable in self._network.optimizer.variables]
        self._network.set_weights(state.average if state.average is not None else state.weights)
        val_loss, val_accuracy = self._validate()
        record = EpochRecord(
            epoch=epoch + 1,
            size=self._size,
            learning_rate=float(self._network.optimizer.learning_rate),
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            seconds=time.monotonic() - self._began,
        )
        # The larger resolution wins, whatever the accuracy: the network is served at the last stage's. A training that
        # is lengthened may come back to a smaller one.
        record.kept = all((self._size, val_accuracy) > (past.size, past.val_accuracy) for past in state.history)
        state.history.append(record)
        if record.kept:
            checkpoints.save_best(self._training.folder, self._network.get_weights())
        self._network.set_weights(state.weights)
        checkpoints.save(self._training.folder, state)
        self._training.on_epoch(record)

    def _validate(self) -> tuple[float, float]:
        """Cross-entropy and accuracy of the network as it stands, without smoothing or penalty.

        At low resolution every third image must do: nothing is kept for good there, and validation is a fifth of
        the epoch's time.
        """
        every = 1 if self._size == self._training.network.input_size else 3
        images, targets = self._training.val.images[::every], self._training.val.targets[::every]
        probabilities = predict(self._network, images, self._size, self._training.recipe.preprocessing)
        likelihood = probabilities[np.arange(len(targets)), targets]
        loss = -np.log(np.maximum(likelihood, 1e-12)).mean()
        return float(loss), float((probabilities.argmax(axis=1) == targets).mean())


def predict(
    model: keras.Model, images: np.ndarray, size: int, preprocessing_name: str, batch_size: int = 32
) -> np.ndarray:
    """Probabilities float32 (n, classes) for uint8 images (n, height, width), with the serving preprocessing."""
    results = []
    channels = model.input_shape[-1]
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        batch = [preprocessing.preprocess(image, size, preprocessing_name, channels) for image in part]
        results.append(np.asarray(model.predict_on_batch(np.stack(batch))))
    return np.concatenate(results)
