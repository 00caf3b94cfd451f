"""Where networks are trained and used."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def device_of(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU if CUDA finds one, else the CPU.

    Raises:
        RuntimeError: If it is not there, or does not compute in float64.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        # Forecasts need float64, which not every device has.
        float(torch.zeros((), dtype=torch.float64, device=device))
    except (AssertionError, RuntimeError, TypeError) as error:
        raise RuntimeError(
            f"device must be one that is here and computes in float64, got {name!r} "
            f'({str(error).splitlines()[0]}); use "auto" or "cpu"'
        ) from error
    return device


@contextmanager
def on_device(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Move the network to the device, and back to the CPU: it can then be pickled."""
    network.to(device)
    try:
        yield
    finally:
        network.to("cpu")
