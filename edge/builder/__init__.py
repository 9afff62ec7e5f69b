"""Builds: float and quantized graphs in, a build folder out."""
