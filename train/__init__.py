"""Training: the only folder that knows torch. Pictures in, an FP32 ONNX network out."""
