"""Measuring: processes, interleaved rounds, statistics, the machine."""
