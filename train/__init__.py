"""Training: the only folder that imports torch. Images in, an FP32 ONNX network out."""
