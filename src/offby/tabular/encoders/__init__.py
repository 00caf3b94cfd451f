"""Columns of a frame as numbers that a network can read."""
