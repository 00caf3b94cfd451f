"""`offby doctor`: say which kernels run on this machine."""

import click

from offby.cli.errors import as_sentences


@click.command()
def doctor() -> None:
    """Say which kernels run on this machine, and why the others do not.

    The exit code is 1 if the form that OFFBY_KERNELS names cannot run.
    """
    import platform
    from importlib.metadata import version

    from offby import kernels

    versions = f"offby {version('offby')}, PyTorch {version('torch')}"
    click.echo(f"{versions}, Python {platform.python_version()}, {platform.machine()}")
    found = kernels.diagnosis()
    for check in found:
        click.echo(f"{check.form:7s}{'runs' if check.runs else 'off':6s}{check.says}")
    with as_sentences():
        wanted = kernels.wanted()
    click.echo(f"In use: {wanted} (OFFBY_KERNELS=auto, torch, cpp or triton sets it)")
    if any(check.form == wanted and not check.runs for check in found):
        raise click.ClickException(f"OFFBY_KERNELS={wanted} cannot run here")
