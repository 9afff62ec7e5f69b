"""Augmentation: photometric, shadows, crops and copy-paste."""
