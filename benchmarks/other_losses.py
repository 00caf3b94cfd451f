"""Losses of other packages, for `cpu.py`: those that are installed."""

import sys


def rivals(classes: int, index, value):
    """Losses of other packages that are installed: name, loss, target."""
    try:
        from dlordinal.losses import EMDLoss

        yield "dlordinal EMDLoss", EMDLoss(num_classes=classes), index
    except ImportError:
        print("dlordinal is not installed", file=sys.stderr)
    try:
        from hl_gauss_pytorch import HLGaussLoss

        rival = HLGaussLoss(0.0, 1.0, num_bins=classes, sigma=0.75 / classes)
        yield "hl-gauss-pytorch HLGaussLoss", rival, value
    except ImportError:
        print("hl-gauss-pytorch is not installed", file=sys.stderr)
    if classes > 4096:
        return  # ntloss holds the distances of all pairs
    try:
        from ntloss import NTLoss
    except ImportError:
        print("ntloss is not installed", file=sys.stderr)
        return
    rival = NTLoss(Numerals(classes), digit_level=False, reweigh=False)
    numbers = index.clamp(max=classes - 2)[None]
    yield "ntloss NTLoss (Wasserstein)", lambda z, y: rival(z[None], y), numbers


class Numerals:
    """What ntloss takes for a tokenizer: 0, 1, 2, ..., and a word that is no number."""

    def __init__(self, n_tokens: int) -> None:
        self.n_tokens = n_tokens

    def __len__(self) -> int:
        return self.n_tokens

    def get_vocab(self) -> dict[str, int]:
        numbers = {str(i): i for i in range(self.n_tokens - 1)}
        return {**numbers, "word": self.n_tokens - 1}
