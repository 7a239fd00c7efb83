"""How version 2 of the gate is fitted: drawn pictures, varied radiographs, a small network, thresholds."""
