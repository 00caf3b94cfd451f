"""The command line."""

from offby.cli.main import main

__all__ = ["main"]
