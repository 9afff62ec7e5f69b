"""Readers of samples, one file per layout, behind the `Samples` protocol of sample.py."""
