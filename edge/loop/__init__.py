"""The loop of cameras: a frame in; mask, depth and blobs out; how they are drawn."""
