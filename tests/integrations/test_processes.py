"""Two processes give the weights and the scores of one."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("torchmetrics")

from offby import Bins, nn
from offby.nn import mean_over_processes

EXAMPLE = Path(__file__).parents[2] / "examples" / "several_processes.py"
BINS = Bins.uniform(0, 5, 5)
WEIGHT = [1.0, 2.0, 0.5, 1.0, 3.0]


def pair(first: nn.CrossEntropyLoss, second: nn.SquaredEMDLoss) -> nn.MixedLoss:
    return nn.MixedLoss([(1.0, first), (0.5, second)])


@pytest.mark.parametrize(
    "make",
    [
        lambda r: nn.SquaredEMDLoss(reduction=r),
        lambda r: nn.CrossEntropyLoss(weight=WEIGHT, reduction=r),
        lambda r: nn.CumulativeCrossEntropyLoss(ignore_index=2, reduction=r),
        lambda r: pair(
            nn.CrossEntropyLoss(weight=WEIGHT, reduction=r),
            nn.SquaredEMDLoss(weight=WEIGHT, reduction=r),
        ),
    ],
)
def test_in_one_process_it_is_the_mean(make):
    logits = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    target = torch.arange(24).reshape(4, 6) % 5
    target[0, :3] = make("sum").ignore_index if hasattr(make("sum"), "dim") else -100
    for weight in (None, torch.arange(24.0).reshape(4, 6)):
        found = mean_over_processes(make("sum"), logits, target, weight)
        assert_close(found, make("mean")(logits, target, weight))
    # Probabilities weigh the rows alike, whatever their classes weigh.
    if not isinstance(make("sum"), nn.MixedLoss) and make("sum").ignore_index < 0:
        shares = logits.softmax(1)
        found = mean_over_processes(make("sum"), logits, shares)
        assert_close(found, make("mean")(logits, shares))


def test_numbers_too():
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0.5, 1.0, torch.nan, 4.0, 2.2, 3.0])

    def make(reduction):
        crps = nn.HistogramCRPSLoss(BINS, ignore_nan=True, reduction=reduction)
        ce = nn.CrossEntropyLoss(reduction=reduction)
        return [crps, nn.MixedLoss([(1.0, ce), (1.0, crps)])]

    for summed, mean in zip(make("sum"), make("mean"), strict=True):
        found = mean_over_processes(summed, logits, target)
        assert_close(found, mean(logits, target))


def test_what_cannot_be_divided_is_refused():
    logits, target = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"reduction=.*got 'mean'"):
        mean_over_processes(nn.SquaredEMDLoss(), logits, target)
    with pytest.raises(TypeError, match=r"must be one of offby\.nn"):
        mean_over_processes(torch.nn.CrossEntropyLoss(), logits, target)
    ce = nn.CrossEntropyLoss(weight=[1.0, 2.0, 1.0], reduction="sum")
    mixed = pair(ce, nn.SquaredEMDLoss(reduction="sum"))
    with pytest.raises(ValueError, match="same class weights"):
        mean_over_processes(mixed, logits, target)
    ignored = torch.full_like(target, -100)
    assert mean_over_processes(ce, logits, ignored) == 0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.slow
def test_two_processes_train_and_score_as_one(monkeypatch):
    """This process is the first one of the two: another import would cost seconds."""
    main = runpy.run_path(str(EXAMPLE))["main"]
    single = main()
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", **meeting}.items():
        monkeypatch.setenv(name, value)
    other = subprocess.Popen([sys.executable, EXAMPLE], env={**os.environ, "RANK": "1"})
    try:
        double = main()
        assert other.wait(timeout=120) == 0
    finally:
        other.kill()
    assert double == pytest.approx(single, rel=1e-9)
