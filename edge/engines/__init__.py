"""Engines: one file per target that writes what its runtime loads, and says what runs in int8."""
