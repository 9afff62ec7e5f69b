"""The zoo: from data to the bundled networks."""
