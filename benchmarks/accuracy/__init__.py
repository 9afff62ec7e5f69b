"""Accuracy of the bundled networks on labelled sequences and under disturbances."""
