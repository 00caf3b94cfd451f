"""A user's own module, trained as the networks of offby are."""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from offby.tabular.layers import Generators
from offby.tabular.networks import NetworkBatch

Module = nn.Module | Callable[[int, int], nn.Module]
"""A module from encoded features to logits, or a function `(n_features, n_classes)`
that builds one."""


class ModuleAdapter(NetworkBatch):
    """Any module from features to logits, as a single member of a single run."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(1)
        self.module = module

    def run_tensors(self) -> dict[str, Tensor]:
        """Its parameters and buffers, under an axis of one run."""
        own = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: tensor.detach()[None] for name, tensor in own.items()}

    def set_runs(self, tensors: dict[str, Tensor]) -> None:
        """Take over the weights of another run."""
        for name, own in self.run_tensors().items():
            own.copy_(tensors[name])

    def logits_of(self, tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Logits of another run than its own."""
        own = {name: tensor[0] for name, tensor in tensors.items()}
        return functional_call(self, own, (inputs,))

    def forward(
        self,
        inputs: Float[Tensor, "runs rows features"],
        generators: Generators | None = None,
    ) -> Float[Tensor, "runs members rows classes"]:
        """Raw logits of the module."""
        return self.module(inputs[0])[None, None]


def wrap_module(
    module: Module,
    n_features: int,
    n_classes: int,
    seed: int,
) -> ModuleAdapter:
    """A user's module, ready for training: a copy, or what their function builds.

    Raises:
        TypeError: If it is neither a module nor builds one.
        ValueError: If it does not give one logit per class.
    """
    if isinstance(module, nn.Module):
        built = copy.deepcopy(module)
    else:
        # PyTorch's own layers draw their first weights from the global generator.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            built = module(n_features, n_classes)
    if not isinstance(built, nn.Module):
        raise TypeError(
            "module must be a torch.nn.Module or a function of the numbers of features "
            f"and classes that builds one, got {type(built).__name__}"
        )
    try:
        with torch.no_grad():
            shape = tuple(built.eval()(torch.zeros(2, n_features)).shape)
    except RuntimeError as error:
        raise ValueError(
            f"module must take rows of {n_features} encoded features, but fails on "
            f"them ({str(error).splitlines()[0]}); pass a function (n_features, "
            "n_classes) that builds a network of the right width"
        ) from error
    if shape != (2, n_classes):
        raise ValueError(
            f"module must map 2 rows of {n_features} features to logits of shape "
            f"(2, {n_classes}), got shape {shape}"
        )
    return ModuleAdapter(built)
