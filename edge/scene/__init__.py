"""The scene of a fixed camera: its background, registration to it, frames without change."""
