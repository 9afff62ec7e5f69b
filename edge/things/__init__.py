"""What is new in the scene: things, where they stand, and their tracks."""
