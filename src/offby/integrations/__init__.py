"""Adapters for other libraries: one file or folder for each, imported by its name."""
