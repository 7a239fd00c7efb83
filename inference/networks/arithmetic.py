"""In which arithmetic Keras builds networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def keras_arithmetic(policy: str) -> Iterator[None]:
    """Build networks under this Keras dtype policy, such as "float32", and leave the process as it was found."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
