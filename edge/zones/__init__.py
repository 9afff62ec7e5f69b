"""Zones: where on the image, and how far away, something matters; the file that holds them."""
