"""Warnings that point at the line of the user, however deep they arise."""

import sys
import warnings


def warn_caller(message: str) -> None:
    """Warn at the first line outside of offby that led here."""
    frame, stacklevel = sys._getframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith(
        "offby."
    ):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, stacklevel=stacklevel)
