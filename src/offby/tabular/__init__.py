"""From a frame to a trained estimator."""
