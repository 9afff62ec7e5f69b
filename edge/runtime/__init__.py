"""The runtime: numpy, one backend library and the manifest, nothing else.

What a C programmer would write, in Python: explicit handles, fixed buffers, no hidden work.
"""
