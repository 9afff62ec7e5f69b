"""Peers: other background subtractors and networks measured on the same frames."""
