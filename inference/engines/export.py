"""Turns a model version into files that OpenVINO runs without TensorFlow.

Runs as a process of its own, `python -m inference.engines.export`, because TensorFlow is needed for the conversion only
and would stay in the worker's memory: 510 MB and six seconds at every start.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference import preprocessing
from inference.engines import EngineError
from inference.gradcam import Grid
from inference.spec import ModelSpec
from inference.tail import Tail, TailLayer, TailPlan

GRAPH = "network.xml"
_FACTS = "facts.json"
_REFERENCE = "reference.npy"
_FORMAT = "3"  # of these files; another number makes them anew
_PROJECT = Path(__file__).resolve().parents[2]
_EXPORT_SECONDS = 300
_PROBES = 16
_BLOTS = (3, 7, 17, 56)  # cells per side of the probes, from coarse to fine


@dataclass(frozen=True)
class Exported:
    """A converted model version.

    Attributes:
        folder: Where its files are.
        grid: Of the Grad-CAM layer.
        tail: What follows it.
        reference: What TensorFlow gives for `probes`: float32 (n, classes), before softmax.
    """

    folder: Path
    grid: Grid
    tail: Tail
    reference: np.ndarray


def probes(spec: ModelSpec, seed: int = 0) -> np.ndarray:
    """The same pictures every time for a seed, as the network takes them: float32 (n, size, size, channels).

    Soft blots at all scales, like the shades of a radiograph: every filter has something to answer.
    """
    rng = np.random.default_rng(seed)
    blots = np.zeros((_PROBES, preprocessing.WORKING_SIZE, preprocessing.WORKING_SIZE))
    for cells in _BLOTS:
        coarse = rng.integers(0, 256, (_PROBES, cells, cells), np.uint8)
        blots += np.stack([preprocessing.scale(picture, preprocessing.WORKING_SIZE) for picture in coarse])
    pixels = (blots / len(_BLOTS)).astype(np.uint8)
    return np.stack([preprocessing.preprocess(p, spec.input_size, spec.preprocessing, spec.channels) for p in pixels])


def exported(spec: ModelSpec, arrays: dict[str, np.ndarray], cache: Path) -> Exported:
    """The converted model version, from `cache` or made now, which takes about 15 seconds.

    Raises:
        EngineError: If the conversion fails; the log has the reason.
        OSError: If `cache` cannot be written.
    """
    folder = cache / _key(spec, arrays)
    if not _complete(folder):
        _convert(spec, arrays, folder)
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    plan = facts["tail"]
    layers = tuple(TailLayer(**layer) for layer in plan["layers"])
    return Exported(
        folder=folder,
        grid=Grid(**facts["grid"]),
        tail=Tail(TailPlan(plan["source"], tuple(plan["shape"]), layers, plan["last"]), arrays),
        reference=np.load(folder / _REFERENCE, allow_pickle=False),
    )


def _key(spec: ModelSpec, arrays: dict[str, np.ndarray]) -> str:
    """Names the files by all that they are made of; what else a version says, as its card, converts nothing anew."""
    import openvino

    facts = (spec.network, spec.input_shape, len(spec.labels), spec.preprocessing, spec.gradcam_layer)
    made_of = hashlib.sha256(f"{_FORMAT} {openvino.__version__} {facts}".encode())
    for name in sorted(arrays):
        made_of.update(name.encode())
        made_of.update(np.ascontiguousarray(arrays[name]).data)
    return f"{spec.name}-{made_of.hexdigest()[:16]}"


def _complete(folder: Path) -> bool:
    """Whether the files are there and are those that were written."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return all(_sha256(folder / name) == digest for name, digest in facts["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _convert(spec: ModelSpec, arrays: dict[str, np.ndarray], folder: Path) -> None:
    """Convert in a child process and put the files in their place at once; of two workers doing so one wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as making:
        try:
            subprocess.run(
                [sys.executable, "-m", "inference.engines.export", making],
                input=pickle.dumps((spec, arrays)),
                cwd=_PROJECT,
                env=os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""},
                check=True,
                capture_output=True,
                timeout=_EXPORT_SECONDS,
            )
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
            reason = said.rpartition("\n")[2] or error  # a traceback ends with the exception
            raise EngineError(f"{spec.name} could not be converted for OpenVINO: {reason}") from error
        shutil.rmtree(folder, ignore_errors=True)
        try:
            Path(making).rename(folder)
            Path(making).mkdir()  # for the context manager to take away
        except OSError:
            if not _complete(folder):
                raise


def _write(spec: ModelSpec, arrays: dict[str, np.ndarray], folder: Path) -> None:
    """What the child process does."""
    import openvino
    import tensorflow as tf

    from inference.engines.tensorflow import TensorFlowEngine

    model = TensorFlowEngine().load(spec, arrays)
    pictures = probes(spec)
    np.save(folder / _REFERENCE, model.tail.logits(model.run(pictures)))
    signature = tf.TensorSpec((None, *spec.input_shape), tf.float32)
    graph = openvino.convert_model(model.function.get_concrete_function(signature))
    for output, name in zip(graph.outputs, model.tail.needed, strict=True):
        output.get_tensor().set_names({name})
    openvino.save_model(graph, folder / GRAPH, compress_to_fp16=_is_float16(arrays))
    files = [GRAPH, Path(GRAPH).with_suffix(".bin").name, _REFERENCE]
    facts: dict[str, Any] = {
        "grid": asdict(model.grid),
        "tail": asdict(model.plan),
        "files": {name: _sha256(folder / name) for name in files},
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _is_float16(arrays: dict[str, np.ndarray]) -> bool:
    """Whether nothing is lost by halving the file."""
    with np.errstate(over="ignore"):
        return all(np.array_equal(array.astype(np.float16).astype(np.float32), array) for array in arrays.values())


if __name__ == "__main__":
    given_spec, given_arrays = pickle.load(sys.stdin.buffer)  # noqa: S301 - what our own parent process wrote
    _write(given_spec, given_arrays, Path(sys.argv[1]))
