"""Accuracy of the bundled networks on labelled sequences, clean and disturbed."""
