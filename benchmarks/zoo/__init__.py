"""The bundled networks: training, export, measuring and model cards."""
