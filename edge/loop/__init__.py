"""The loop of cameras: a frame in; mask, depth and things out; how they are drawn."""
