"""Measured is what a worker does, so NumPy is set up as there, before anything here imports it."""

import inference.apps  # noqa: F401
