"""Rewrites and checks of ONNX graphs; all rewrites but the conversion to float16 are exact."""
