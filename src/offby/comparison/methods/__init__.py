"""What a comparison can fit: losses, baselines and a user's own models."""
