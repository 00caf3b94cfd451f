"""Errors as sentences: code 2 for wrong use or data, 1 for a run that failed."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


class Refusal(click.ClickException):
    """Wrong use or wrong data; exit code 2."""

    exit_code = 2


@contextmanager
def as_sentences() -> Iterator[None]:
    """Print errors that the library raises on purpose, without their traceback.

    Any other exception is a fault of ours and keeps its traceback.
    """
    try:
        yield
    except ValueError as error:
        raise Refusal(str(error)) from error
    except (RuntimeError, ImportError, OSError) as error:
        raise click.ClickException(str(error)) from error
