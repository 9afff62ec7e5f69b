"""What builds are worth: accuracy and speed of the same build on the same frames."""
