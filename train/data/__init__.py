"""Training data: composites, cut-outs, labelled sequences, and the batches made of them."""
