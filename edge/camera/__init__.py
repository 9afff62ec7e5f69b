"""Frames from cameras, recordings and rendered scenes, and videos written from frames."""
