"""Criteria for fine-tuning on borders of TabPFN: docs/foundation-models.md.

    python benchmarks/foundation_models.py docs/foundation_models.json
    python benchmarks/foundation_models.py docs/foundation_models.json --only tuning

Needs tabpfn (9.2 was measured) and what it imports; no weights. The criteria see
logits over 5,000 bars, the borders of TabPFN's own `get_bucket_limits`, for 500 rows in
float32 on one core: processor time of a step forward and backward, and how far each
value lies from the exact CRPS of the same distribution. The second table is that of
examples/finetune_bars.py, about a minute, and needs none of this.
"""

import argparse
import json
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from offby import nn
from offby.integrations.tabpfn import bins_of, from_tabpfn

ROWS, REPEATS = 500, 5
Criterion = Callable[[Tensor, Tensor], Tensor]


def bar_distribution(n_bars: int) -> Any:
    from tabpfn.architectures.shared.bar_distribution import (
        FullSupportBarDistribution,
        get_bucket_limits,
    )

    generator = torch.Generator().manual_seed(0)
    ys = torch.randn(20 * n_bars, generator=generator, dtype=torch.float64)
    return FullSupportBarDistribution(get_bucket_limits(n_bars, ys=ys))


def forecasts(criterion: Any) -> tuple[Tensor, Tensor]:
    """Logits of normal distributions of different widths, and a number for each."""
    generator = torch.Generator().manual_seed(1)
    centers = torch.randn(ROWS, 1, generator=generator) * 0.8
    scales = torch.rand(ROWS, 1, generator=generator) + 0.1
    middles = criterion.borders[:-1] + criterion.bucket_widths / 2
    density = -(((middles - centers) / scales) ** 2) / 2
    logits = (density + criterion.bucket_widths.log()).float()
    y = centers + scales * torch.randn(ROWS, 1, generator=generator)
    return logits[None].clone(), y.T.double()


def of_tabpfn(criterion: Any) -> Criterion:
    from tabpfn.regression_metrics import ranked_probability_score_loss_from_bar_logits

    return lambda z, y: ranked_probability_score_loss_from_bar_logits(
        logits_BQL=z, targets_BQ=y, bardist_loss_fn=criterion
    )


CRITERIA: dict[str, Callable[[Any], Criterion]] = {
    "TabPFN, log density": lambda criterion: criterion,
    "offby, log density": lambda criterion: nn.HistogramNLLLoss(
        bins_of(criterion), dim=-1, reduction="none"
    ),
    "TabPFN, CRPS": of_tabpfn,
    "offby, CRPS": lambda criterion: nn.HistogramCRPSLoss(
        bins_of(criterion), dim=-1, reduction="none"
    ),
    "offby, squared EMD": lambda criterion: _squared_emd(bins_of(criterion)),
}


def _squared_emd(bins: Any) -> Criterion:
    loss = nn.SquaredEMDLoss(bins.line(), dim=-1, reduction="none")
    return lambda z, y: loss(z, bins.index(y))


def cost(name: str, n_bars: int) -> dict[str, float]:
    """Least seconds of a few steps, and the mean gap to the CRPS in shares of it."""
    bars = bar_distribution(n_bars)
    logits, y = forecasts(bars)
    exact = from_tabpfn(logits.double(), bars).crps(y)
    loss = CRITERIA[name](bars)
    small = logits[:, :8].clone().requires_grad_()
    loss(small, y[:, :8]).mean().backward()
    logits.requires_grad_()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        value = loss(logits, y)
        value.mean().backward()
        seconds.append(time.process_time() - start)
        logits.grad = None
    gap = (value.detach().double() - torch.tensor(exact)).abs()
    return {
        "seconds": min(seconds),
        "gap to the exact CRPS": float(gap.mean() / exact.mean()),
    }


def measure(n_bars: int) -> dict[str, dict[str, float]]:
    return {name: cost(name, n_bars) for name in CRITERIA}


def table(cases: dict[str, dict[str, dict[str, float]]]) -> str:
    fine, coarse = cases["5000"], cases["100"]
    lines = [
        "| criterion | seconds | gap to the exact CRPS | with 100 bars |",
        "|---|---:|---:|---:|",
    ]
    for name, found in fine.items():
        gaps = (
            f"{100 * each['gap to the exact CRPS']:.2f} %"
            if "CRPS" in name or "EMD" in name
            else "–"
            for each in (found, coarse[name])
        )
        lines.append(f"| {name} | {found['seconds']:.3f} | {' | '.join(gaps)} |")
    return "\n".join(lines)


def tuning_table(tuning: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """Means over the seeds, after few and after many epochs of both stages."""
    scores = list(tuning["15"]["before"][0])
    heads = [f"{score}, {n} epochs" for n in tuning for score in scores]
    lines = [f"| fine-tuned with | {' | '.join(heads)} |"]
    lines.append("|---|" + "---:|" * len(heads))
    for name in tuning["15"]:
        means = [
            sum(run[score] for run in runs[name]) / len(runs[name])
            for runs in tuning.values()
            for score in scores
        ]
        lines.append(f"| {name} | {' | '.join(f'{mean:.2f}' for mean in means)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["cost", "tuning"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    results = json.loads(given.out.read_text()) if given.out.exists() else {}
    if given.only in (None, "cost"):
        results["cost"] = {str(n): measure(n) for n in (5000, 100)}
        print(table(results["cost"]))
    if given.only in (None, "tuning"):
        example = Path(__file__).parents[1] / "examples/finetune_bars.py"
        tune = runpy.run_path(str(example))["main"]
        results["tuning"] = {str(n): tune(epochs=n) for n in (15, 60)}
        print(tuning_table(results["tuning"]))
    given.out.write_text(json.dumps(results, indent=1) + "\n")
