"""A small ray caster in numpy: fixed-camera scenes with a true mask and a true depth."""
