"""Losses of the depth: one file each."""
