"""What noise in the bin edges, inputs and targets does to each loss."""
