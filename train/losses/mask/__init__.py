"""Losses of the mask: one file each."""
