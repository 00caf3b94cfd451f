"""AdamW for a batch of networks, which may lose runs on the way."""

import torch
from torch import Tensor, nn

from offby.tabular.networks import NetworkBatch


def adamw(
    network: nn.Module, *, rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """PyTorch's AdamW, which decays what the modules say decays."""
    decays = decaying(network)
    ids = {id(parameter) for parameter in decays}
    others = [each for each in network.parameters() if id(each) not in ids]
    return torch.optim.AdamW(
        [
            {"params": decays, "weight_decay": weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=rate,
        # Not fused: that rounds a number by its place among the others, so that a run
        # would depend on its company.
        foreach=True,
    )


def decaying(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that weight decay pulls towards zero.

    A layer of ours names them in `decays`; of other modules they are those of two axes
    or more, which multiply.
    """
    found = []
    for module in network.modules():
        names = getattr(module, "decays", None)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim >= 2 if names is None else name in names:
                found.append(parameter)
    return found


def keep_runs(
    network: NetworkBatch, optimizer: torch.optim.Optimizer, stay: list[int]
) -> None:
    """Drop all runs but these from the network and from the optimizer's memory."""
    for parameter in network.parameters():
        state = optimizer.state[parameter]
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = value[stay]
        parameter.grad = None
    tensors = network.run_tensors()
    network.set_runs({name: tensor.detach()[stay] for name, tensor in tensors.items()})
