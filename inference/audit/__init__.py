"""Does the model look at the lungs, or at where the picture came from? Measurements, a verdict and a page about it.

Random splits of public chest X-ray collections do not ask this: label, collection, age and markers go together there,
and a network that reads a corner marker scores as well as one that reads the lungs. See `run.audit` for the start.
"""
