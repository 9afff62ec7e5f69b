"""Targets: one file each, which registers itself."""
