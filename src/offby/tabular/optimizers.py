"""AdamW, and the average of its path, for a batch of runs of which some may stop."""

import torch
from torch import nn

from offby.tabular.networks import NetworkBatch


def adamw(
    network: nn.Module, *, rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """PyTorch's AdamW, which decays what the modules say decays."""
    decays = {id(parameter) for parameter in decaying(network)}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        # The fused step is quicker, but rounds the last few numbers of a tensor in
        # another way, up to as many as a vector register holds (16). If runs are no
        # multiple of that, one would depend on its company.
        fused = parameter.numel() // max(len(parameter), 1) % 16 == 0
        groups.setdefault((id(parameter) in decays, fused), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": weight_decay if decay else 0.0,
                "fused": fused,
                "foreach": not fused,
            }
            for (decay, fused), parameters in groups.items()
        ],
        lr=rate,
        # A shorter memory of squared slopes than PyTorch's 0.999: a training has some
        # hundreds of steps.
        betas=(0.9, 0.98),
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


class PathAverage:
    r"""The average of the weights along the path of a training.

    .. math:: \bar w_t = \bar w_{t-1} + \frac{k + 1}{t + k} (w_t - \bar w_{t-1})

    With k = 0 it is the mean of all steps; a larger k forgets the first ones sooner. At
    a constant rate the weights circle around what the average finds, so that every
    step is a good one to stop at, and no schedule must know how long a training lasts.

    References:
        Shamir, Zhang (2013), Stochastic gradient descent for non-smooth optimization:
        convergence results and optimal averaging schemes, arXiv:1212.1824.
    """

    def __init__(self, network: NetworkBatch, k: float = 4.0) -> None:
        self.k, self.n_steps = k, 0
        self.tensors = {
            name: part.detach().clone() for name, part in network.run_tensors().items()
        }

    @torch.no_grad()
    def update(self, network: NetworkBatch) -> None:
        """Take in the weights after one more step."""
        self.n_steps += 1
        share = (self.k + 1) / (self.n_steps + self.k)
        for name, part in network.run_tensors().items():
            # The counters of a user's module have no average.
            if part.is_floating_point():
                self.tensors[name].lerp_(part, share)
            else:
                self.tensors[name].copy_(part)

    def keep_runs(self, stay: list[int]) -> None:
        """Drop all runs but these."""
        self.tensors = {name: part[stay] for name, part in self.tensors.items()}


def keep_runs(
    network: NetworkBatch, optimizer: torch.optim.Optimizer, stay: list[int]
) -> None:
    """Drop all runs but these from the network and from the optimizer's memory."""
    for parameter in network.parameters():
        state = optimizer.state[parameter]
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = value[stay]
        parameter.grad = None
    tensors = network.run_tensors()
    network.set_runs({name: tensor.detach()[stay] for name, tensor in tensors.items()})
