"""ONNX in, int8 ONNX out: observed ranges, and Q/DQ nodes where each target wants them."""
