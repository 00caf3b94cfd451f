"""What a loss pushes on, where training on it ends, and how to undo a bias."""
