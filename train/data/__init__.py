"""Training data: composites, cut-outs, crops of samples, and the batches made of them."""
