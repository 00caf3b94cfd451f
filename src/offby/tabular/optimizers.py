"""AdamW, and the average of its path, for a batch of runs of which some may stop."""

import math

import torch
from torch import nn

from offby.tabular.networks import NetworkBatch


class AdamW:
    """AdamW for the networks of a batch, which may lose runs on the way.

    Written out, because `torch.optim` takes two seconds of CPU for its first optimizer
    (it loads the compiler), longer than a small fit; and because its fused step rounds
    the last numbers of a tensor differently, so that a run depended on its company.

    References:
        Loshchilov, Hutter (2019), Decoupled weight decay regularization,
        arXiv:1711.05101.
    """

    # A shorter memory of squared slopes than the usual 0.999: a training has some
    # hundreds of steps.
    BETAS, EPSILON = (0.9, 0.98), 1e-8

    def __init__(
        self, network: NetworkBatch, *, rate: float, weight_decay: float
    ) -> None:
        self.network, self.rate, self.n_steps = network, rate, 0
        decays = {id(parameter) for parameter in decaying(network)}
        self.parameters = list(network.parameters())
        self.decay = [weight_decay * (id(each) in decays) for each in self.parameters]
        self.first = [torch.zeros_like(each) for each in self.parameters]
        self.second = [torch.zeros_like(each) for each in self.parameters]

    def zero_grad(self) -> None:
        """Forget the slopes."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by the slopes."""
        self.n_steps += 1
        beta1, beta2 = self.BETAS
        # The corrections of both means, which begin at zero.
        rate = self.rate / (1 - beta1**self.n_steps)
        share = math.sqrt(1 - beta2**self.n_steps)
        for parameter, decay, first, second in zip(
            self.parameters, self.decay, self.first, self.second, strict=True
        ):
            slope = parameter.grad
            if slope is None:
                continue
            first.lerp_(slope, 1 - beta1)
            second.mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
            if decay:
                parameter.mul_(1 - self.rate * decay)
            size = second.sqrt().div_(share).add_(self.EPSILON)
            parameter.addcdiv_(first, size, value=-rate)

    def keep_runs(self, stay: list[int]) -> None:
        """Drop all runs but these from the network and from the memory."""
        self.zero_grad()
        tensors = self.network.run_tensors()
        self.network.set_runs({name: t.detach()[stay] for name, t in tensors.items()})
        self.first = [part[stay] for part in self.first]
        self.second = [part[stay] for part in self.second]


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
