"""Rewrites of ONNX graphs. Each is exact, or says by how much it is not."""
