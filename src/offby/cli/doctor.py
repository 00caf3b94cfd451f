"""`offby doctor`: what is installed, what runs on this machine, and what to do."""

import os
from collections.abc import Sequence
from shutil import which
from typing import TYPE_CHECKING

import click

from offby.cli.errors import as_sentences
from offby.cli.installed import ADAPTERS, BRINGS, Package, packages

if TYPE_CHECKING:
    from offby.kernels import Check


@click.command()
def doctor() -> None:
    """Say what is installed, which kernels run on this machine, and what to do.

    The exit code is 1 if the form that OFFBY_KERNELS names cannot run.
    """
    import platform
    from importlib.metadata import version

    from offby import kernels

    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    click.echo(
        f"offby {version('offby')}, Python {platform.python_version()}, {machine}"
    )
    groups = packages()
    needed = groups.get("", [])
    click.echo(
        ", ".join(f"{p.name} {p.version or '(missing)'}" for p in _by_name(needed))
    )

    click.echo("\nKernels of the losses")
    checks = kernels.diagnosis()
    for check in checks:
        click.echo(f"  {check.form:9s}{'runs' if check.runs else 'off':6s}{check.says}")
    with as_sentences():
        wanted = kernels.wanted()
    click.echo(f"  In use: {wanted} (OFFBY_KERNELS=auto, torch, cpp or triton sets it)")
    click.echo(f"  GPU: {_gpu()}")

    click.echo("\nExtras")
    for extra, brings in BRINGS.items():
        needed = groups.get(extra, [])
        wrong = [p.wrong for p in needed if p.wrong]
        click.echo(f"  {extra:13s}{_state(needed):7s}{brings}")
        if wrong:
            click.echo(f"  {'':13s}{'':7s}({'; '.join(wrong)})")

    click.echo("\nWhat to do")
    for line in advice(groups, checks, _nvidia()) or [
        "Nothing: all of offby runs here."
    ]:
        click.echo(f"  {line}")
    if any(check.form == wanted and not check.runs for check in checks):
        raise click.ClickException(f"OFFBY_KERNELS={wanted} cannot run here")


def advice(
    groups: dict[str, list[Package]], checks: "Sequence[Check]", gpu: bool
) -> list[str]:
    """What would make more of offby run here, most urgent first; often nothing.

    >>> advice({"ot": [Package("pot", "0.9.5", "")]}, (), False)
    ['pip install "offby[ot]" for exact transport to soft targets on any costs']
    """
    lines = [
        f'pip install --upgrade "{p.name}>={p.floor}": {p.wrong}'
        for p in groups.get("", [])
        if p.wrong
    ]
    off = {check.form: check.says for check in checks if not check.runs}
    if "cpp" in off:
        lines.append(
            "The losses run in plain PyTorch, which is slower. Install a wheel of "
            "offby, or a C++ compiler and then offby again."
        )
    if "triton" in off and gpu:
        lines.append(
            f"This machine has an NVIDIA GPU, but {off['triton']}. Install a PyTorch "
            "that was built for CUDA; Triton comes with it."
        )
    for extra, brings in BRINGS.items():
        needed = groups.get(extra, [])
        unused = extra in ADAPTERS and not any(p.version for p in needed)
        if any(p.wrong for p in needed) and not unused:
            lines.append(f'pip install "offby[{extra}]" for {brings}')
    return lines


def _state(needed: list[Package]) -> str:
    """How much of an extra is there, in a word."""
    if not any(p.wrong for p in needed):
        return "ready"
    return "partly" if any(p.version for p in needed) else "off"


def _by_name(found: list[Package]) -> list[Package]:
    return sorted(found, key=lambda package: package.name)


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if _nvidia():
        return "NVIDIA, but this PyTorch does not reach it"
    if torch.backends.mps.is_available():
        return "Apple (mps); the losses run on it in plain PyTorch"
    return "none"


def _nvidia() -> bool:
    """Whether the machine has an NVIDIA GPU, whatever PyTorch says."""
    return which("nvidia-smi") is not None
