"""Whether the GPU of this machine does what the runtime needs of it: `make gpu-check`."""
