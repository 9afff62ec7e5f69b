"""INT8 beside FP32 on every instruction set that this machine has."""
