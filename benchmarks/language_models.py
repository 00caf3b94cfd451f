"""The tables of docs/language-models.md and of the rating head in training-loops.md.

    python benchmarks/language_models.py docs/language_models.json
    python benchmarks/language_models.py docs/language_models.json --only cost

The first table is examples/number_tokens.py, about five minutes on one core. With
`--reviews amazonReviewSnippets_GroundTruth.txt` comes that of examples/rating_head.py,
which says where the file is. The table of costs
needs the package ntloss (extra "bench") for its row: one step of the losses, forward
and backward, on the logits of a vocabulary of 50,257 tokens, every fourth label a
digit. Each case runs in a process of its own: processor time, and how far its memory
grows beyond the logits.
"""

import argparse
import json
import multiprocessing
import resource
import runpy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from offby.integrations.transformers import NumberTokenLoss, NumberTokens

EXAMPLES = Path(__file__).parents[1] / "examples"
Runs = dict[str, list[dict[str, float]]]
VOCABULARY, BATCH, LENGTH, REPEATS = 50_257, 4, 256, 5
DIGITS = {str(digit): 15 + digit for digit in range(10)}


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def of_ntloss() -> Callable[[Tensor, Tensor], Tensor]:
    import ntloss
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"word {k}": k for k in range(100) if k not in DIGITS.values()}
    inner = Tokenizer(models.WordLevel({**vocabulary, **DIGITS}, unk_token="word 0"))
    outer = PreTrainedTokenizerFast(tokenizer_object=inner)
    distance = ntloss.NTLoss(outer, vocab_size=VOCABULARY, reweigh=False)
    return lambda z, y: cross_entropy(z, y) + 0.3 * distance(z, y)


def of_offby(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    loss = NumberTokenLoss(NumberTokens(DIGITS), name, weight=0.3, average="numbers")
    return loss


CASES: dict[str, Callable[[], Callable[[Tensor, Tensor], Tensor]]] = {
    "F.cross_entropy": lambda: cross_entropy,
    "F.cross_entropy + ntloss": of_ntloss,
    "NumberTokenLoss, emd1": lambda: of_offby("emd1"),
    "NumberTokenLoss, emd2": lambda: of_offby("emd2"),
    "NumberTokenLoss, cce": lambda: of_offby("cce"),
}


def cost(name: str) -> dict[str, float]:
    """Least seconds of a few steps, growth of memory in MB, and the loss."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, LENGTH, VOCABULARY, generator=generator)
    logits.requires_grad_()
    labels = torch.randint(100, VOCABULARY, (BATCH, LENGTH), generator=generator)
    digits = torch.randint(15, 25, (BATCH, LENGTH), generator=generator)
    labels = torch.where(torch.arange(LENGTH) % 4 == 0, digits, labels)
    loss = CASES[name]()
    loss(logits[:, :8, :], labels[:, :8]).backward()
    logits.grad = None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        value = loss(logits, labels)
        value.backward()
        seconds.append(time.process_time() - start)
        logits.grad = None
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": min(seconds),
        "megabytes": (after - before) / 1024,
        "loss": float(value.detach()),
    }


def costs() -> dict[str, dict[str, float]]:
    found = {}
    for name in CASES:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            try:
                found[name] = process.apply(cost, (name,))
            except ModuleNotFoundError as missing:
                print(f"{name}: {missing}")
                continue
        print(name, {key: round(value, 3) for key, value in found[name].items()})
    return found


def cost_table(cases: dict[str, dict[str, float]]) -> str:
    lines = ["| loss | seconds | memory, MB |", "|---|---:|---:|"]
    for name, found in cases.items():
        cells = f"{found['seconds']:.2f} | {found['megabytes']:.0f}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def score_table(runs: Runs, digits: dict[str, int]) -> str:
    """Mean of each score over the seeds, and the least and the largest."""
    lines = [f"| | {' | '.join(digits)} |", "|---|" + "---:|" * len(digits)]
    for name, found in runs.items():
        cells = []
        for score, n in digits.items():
            values = [run[score] for run in found]
            mean = sum(values) / len(values)
            cells.append(f"{mean:.{n}f} ({min(values):.{n}f} to {max(values):.{n}f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


ACCURACY = {"mean error": 1, "median error": 1, "exact, %": 1}
RATINGS = {"RPS": 3, "kappa": 3, "far, %": 1}


def main(
    out: Path, only: str | None, seeds: int, epochs: int, reviews: Path | None
) -> None:
    torch.set_num_threads(1)
    results = json.loads(out.read_text()) if out.exists() else {}
    if only in (None, "cost"):
        results["cost"] = {
            "vocabulary": VOCABULARY,
            "tokens": BATCH * LENGTH,
            "cases": costs(),
        }
    if only in (None, "accuracy"):
        found = runpy.run_path(str(EXAMPLES / "number_tokens.py"))["main"](
            seeds, epochs
        )
        results["accuracy"] = {"epochs": epochs, "runs": found}
        print(score_table(found, ACCURACY))
    if reviews is not None:
        found = runpy.run_path(str(EXAMPLES / "rating_head.py"))["main"](reviews, seeds)
        results["reviews"] = {"runs": found}
        print(score_table(found, RATINGS))
    out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["accuracy", "cost", "reviews"])
    parser.add_argument("--reviews", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    main(given.out, given.only, given.seeds, given.epochs, given.reviews)
