"""A ray caster in numpy that renders fixed-camera scenes with exact masks and depth."""
