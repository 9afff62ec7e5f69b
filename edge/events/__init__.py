"""Events: what happens to things, in zones, and to cameras; one file per kind of rule."""
