"""One camera's loop: a frame in, mask, depth and blobs out, and how they are drawn."""
