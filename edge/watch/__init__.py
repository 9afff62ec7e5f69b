"""Watching cameras: from their frames to events, and the file that says which cameras there are."""
