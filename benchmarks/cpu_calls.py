"""What benchmarks/cpu.py runs: functions that run each loss once, by size."""

import sys
import warnings
from collections.abc import Callable

SHAPES = ("8192x10", "8192x101", "4096x1000", "1024x32000")
IMAGES = (8, 80, 240, 320)
TARGETS = (2048, 51)
BASE = "F.cross_entropy"
FLOOR = "a copy of the logits"
"""Read once, and written into memory that is there: no gradient costs less."""
ALONE = "squared_emd without autograd"
"""The kernel alone: what it takes less than `squared_emd` is Python and PyTorch."""


def sizes(shape: str) -> tuple[int, int]:
    rows, classes = map(int, shape.split("x"))
    return rows, classes


def on_rows(rows: int, classes: int) -> dict[str, Callable[[], None]]:
    """Every loss on (rows, classes), as a function that runs it once."""
    import torch
    from other_losses import rivals
    from torch.nn import functional as F

    from offby import Bins, losses, nn
    from offby.kernels.cpp import _library

    logits = torch.randn(rows, classes, requires_grad=True)
    index = torch.randint(classes, (rows,))
    bins = Bins.uniform(0, 1, classes)
    value = (index + torch.rand(rows)) / classes
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])

    # Of rows that are sure of a wrong class the kernels compute more.
    sure = (8 * logits.detach()).requires_grad_()

    def call(loss, target=index, logits=logits):
        def once():
            torch.autograd.grad(loss(logits, target), logits)

        return once

    def naive(z, y):
        cdf = z.softmax(-1).cumsum(-1)
        truth = (torch.arange(z.shape[-1]) >= y[:, None]).to(cdf.dtype)
        return (cdf - truth).square().sum(-1).mean()

    plain, room = logits.detach(), torch.empty_like(logits)

    def copy():
        room.copy_(plain)

    calls = {
        BASE: call(F.cross_entropy),
        FLOOR: copy,
        "squared_emd": call(lambda z, y: losses.squared_emd(z, y).mean()),
        "wasserstein": call(lambda z, y: losses.wasserstein(z, y).mean()),
        "cross_entropy": call(lambda z, y: losses.cross_entropy(z, y).mean()),
        "ce+emd2": call(mixed),
        "cumulative_cross_entropy": call(
            lambda z, y: losses.cumulative_cross_entropy(z, y).mean()
        ),
        "histogram_crps": call(
            lambda z, y: losses.histogram_crps(z, y, bins).mean(), value
        ),
        "wasserstein, p=2": call(lambda z, y: losses.wasserstein(z, y, p=2).mean()),
        "nn.SquaredEMDLoss": call(nn.SquaredEMDLoss()),
        "squared_emd * 0.5": call(lambda z, y: losses.squared_emd(z, y).mean() * 0.5),
        "squared_emd, sure rows": call(
            lambda z, y: losses.squared_emd(z, y).mean(), logits=sure
        ),
        "squared_emd, plain": call(
            lambda z, y: losses.squared_emd(z, y, impl="torch").mean()
        ),
        "naive squared EMD": call(naive),
    }
    if not isinstance(_library.load(), str):
        factors = tuple(float(term == "squared_emd") for term in _library.TERMS)
        kernel = _library.LossCall(factors, index)

        def alone():
            kernel.loss_and_gradient(plain, 1 / rows)

        calls[ALONE] = alone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, loss in {"naive squared EMD, compiled": torch.compile(naive)}.items():
            try:
                call(loss)()
                calls[name] = call(loss)
            except Exception as error:
                print(f"{name} does not run: {error}"[:200], file=sys.stderr)
    for name, loss, target in rivals(classes, index, value):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call(loss, target)()
            calls[name] = call(loss, target)
        except (RuntimeError, ValueError, MemoryError) as error:
            print(f"{name} does not run: {error}"[:200], file=sys.stderr)
    return calls


def on_images() -> dict[str, Callable[[], None]]:
    """Classes on axis 1."""
    import torch
    from torch.nn import functional as F

    from offby import losses, nn

    n, k, height, width = IMAGES
    logits = torch.randn(IMAGES, requires_grad=True)
    index = torch.randint(k, (n, height, width))

    def call(loss):
        def once():
            torch.autograd.grad(loss(logits, index), logits)

        return once

    def copied(z, y):
        return losses.squared_emd(z.movedim(1, -1).contiguous(), y).mean()

    return {
        BASE: call(F.cross_entropy),
        "squared_emd": call(nn.SquaredEMDLoss(dim=1)),
        "cross_entropy": call(nn.CrossEntropyLoss(dim=1)),
        "wasserstein": call(nn.WassersteinLoss(dim=1)),
        "squared_emd, movedim + copy": call(copied),
    }


def on_targets() -> dict[str, Callable[[], None]]:
    """Numbers into soft targets on an even grid, and what people write by hand."""
    import torch
    from torch.nn import functional as F

    from offby import Bins, targets

    rows, classes = TARGETS
    bins = Bins.uniform(-10, 10, classes)
    value, sigma = 20 * torch.rand(rows) - 10, 0.75 * 20 / classes
    logits = torch.randn(rows, classes, requires_grad=True)
    index = bins.index(value)
    edges, centers = bins.edges.float(), bins.centers.float()
    step = centers[1] - centers[0]

    def hl_gauss():
        cdf = torch.erf((edges - value[:, None]) / (2**0.5 * sigma))
        return cdf.diff(dim=-1) / (cdf[:, -1:] - cdf[:, :1])

    def two_hot():
        at = ((value - centers[0]) / step).clamp(0, classes - 1)
        low = at.floor().long()
        share, high = at - low, (low + 1).clamp(max=classes - 1)
        empty = torch.zeros(rows, classes)
        first = empty.scatter_add_(1, low[:, None], (1 - share)[:, None])
        return first.scatter_add_(1, high[:, None], share[:, None])

    def of(target):
        def once():
            target()

        return once

    return {
        BASE: of(lambda: torch.autograd.grad(F.cross_entropy(logits, index), logits)),
        "hl_gauss by hand": of(hl_gauss),
        "hl_gauss": of(lambda: targets.hl_gauss(value, bins, sigma)),
        "hl_gauss, own sigma": of(lambda: targets.hl_gauss(value, bins)),
        "two_hot by hand": of(two_hot),
        "two_hot": of(lambda: targets.two_hot(value, bins)),
    }


OTHERS = {"images": on_images, "targets": on_targets}
"""What is measured beside the losses on rows x classes."""
