"""Stand-in for cuda-bindings on a machine with one GPU; put its folder first on PYTHONPATH."""
