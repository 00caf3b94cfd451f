"""Every head under every loss, on six ordinal sets: docs/heads.json.

    python -m benchmarks.heads FOLDER docs/heads.json

reads the sets from that folder (see sets.py). Small networks, one hidden layer, five
folds, all trained side by side: about half an hour on one core. What the file has
already is not measured again. heads_page.py makes the tables of docs/heads.md of it.
"""

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks import sets
from benchmarks.head_objectives import LEVEL_LOSSES, LOSSES, Objective, Task
from offby import metrics
from offby.losses import levels
from offby.metrics import median_class
from offby.nn import heads

SETS = {
    **{name: sets.CLASSES[name] for name in ("ESL", "LEV", "ERA", "SWD", "wine red")},
    "balance": sets.Source("balance_scale", "y"),
}
HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": nn.Linear,
    "CumulativeLink, logit": heads.CumulativeLink,
    "CumulativeLink, probit": functools.partial(heads.CumulativeLink, link="probit"),
    "CumulativeLink, cloglog": functools.partial(heads.CumulativeLink, link="cloglog"),
    "CORAL": heads.CORAL,
    "CORN": heads.CORN,
    "Binomial": functools.partial(heads.Binomial, learn_temperature=True),
    "Poisson": functools.partial(heads.Poisson, learn_temperature=True),
    "Unimodal": heads.Unimodal,
    "DiscretizedLogistics": functools.partial(
        heads.DiscretizedLogistics, n_components=2
    ),
}
ANSWERS = "K - 1 answers"
"""A plain layer that answers "above class k?" for each k, and may contradict itself."""
SCORES = {"rps": "RPS", "log_score": "log score", "qwk": "QWK", "mae": "MAE"}
FOLDS, SEEDS = 5, 1
WIDTH, STEPS, LOOK_EVERY, RATE = 32, 150, 5, 0.03


def task_of(folder: str, source: sets.Source) -> Task:
    """The folds of a set; 15 % of the training rows say when to stop."""
    frame, y = sets.read(folder, source)
    x = torch.tensor(frame.to_numpy().astype(np.float32))
    classes, index = np.unique(y, return_inverse=True)
    rng, n = np.random.default_rng(0), len(index)
    learn, stop, judge = [], [], []
    for _ in range(SEEDS):
        fold = np.empty(n, dtype=int)
        fold[rng.permutation(n)] = np.arange(n) % FOLDS
        for k in range(FOLDS):
            held = (fold != k) & (rng.random(n) < 0.15)
            learn.append((fold != k) & ~held)
            stop.append(held)
            judge.append(fold == k)
    learning = torch.tensor(np.array(learn))
    rows = learning.float()[..., None]
    mean = (rows * x).sum(1, keepdim=True) / rows.sum(1, keepdim=True)
    spread = (rows * (x - mean).square()).sum(1, keepdim=True) / rows.sum(1)[:, None]
    return Task(
        (x - mean) / spread.sqrt().clamp(min=1e-6),
        torch.tensor(index),
        learning,
        torch.tensor(np.array(stop)),
        torch.tensor(np.array(judge)),
        len(classes),
    )


def pairs() -> dict[str, tuple[Callable, Callable[[Task], Objective]]]:
    """Every head with every loss that fits it, by the key in the file."""
    found = {
        f"{head} | {loss}": (make, objective)
        for head, make in HEADS.items()
        for loss, objective in LOSSES.items()
    }
    for loss, objective in LEVEL_LOSSES.items():
        found[f"{ANSWERS} | {loss}"] = (answers, objective)
    return found


def answers(in_features: int, num_classes: int) -> nn.Module:
    """A layer of independent answers, one for each cut between classes."""
    return nn.Linear(in_features, num_classes - 1)


def fitted(
    task: Task,
    make: Callable[[int, int], nn.Module],
    objective_of: Callable[[Task], Objective],
) -> tuple[Tensor, float]:
    """Probabilities of every run for every row, and seconds of CPU per run."""
    runs, _, n_features = task.inputs.shape
    torch.manual_seed(0)
    networks = [
        nn.Sequential(
            nn.Linear(n_features, WIDTH), nn.ReLU(), make(WIDTH, task.n_classes)
        )
        for _ in range(runs)
    ]
    state, buffers = stack_module_state(networks)
    shell = networks[0]

    def of_one(weights: dict, held: dict, rows: Tensor) -> Tensor:
        return functional_call(shell, (weights, held), (rows,))

    logits_of = vmap(of_one)
    objective = objective_of(task)
    optimizer = torch.optim.Adam(state.values(), lr=RATE)
    best = torch.full((runs,), torch.inf)
    kept = {name: value.detach().clone() for name, value in state.items()}
    began = time.process_time()
    for step in range(STEPS):
        learn, stop = objective(logits_of(state, buffers, task.inputs))
        if step % LOOK_EVERY == 0:
            now = stop.detach()
            better = now < best
            best = torch.where(better, now, best)
            for name, value in state.items():
                wide = better.reshape(-1, *[1] * (value.ndim - 1))
                kept[name] = torch.where(wide, value.detach(), kept[name])
        optimizer.zero_grad()
        learn.sum().backward()
        optimizer.step()
    took = (time.process_time() - began) / runs
    with torch.no_grad():
        logits = logits_of(kept, buffers, task.inputs)
    if make is answers:
        logits = levels.log_probs(logits)
    return logits.softmax(-1), took


def scores_of(task: Task, probs: Tensor) -> dict[str, float]:
    """Mean scores over the runs, each on the rows that it has not seen."""
    found: dict[str, list[float]] = {key: [] for key in SCORES}
    for p, judge in zip(probs.double().numpy(), task.judge.numpy(), strict=True):
        p, y = p[judge], task.index.numpy()[judge]
        p = p / p.sum(-1, keepdims=True)
        median = median_class(p)
        found["rps"].append(metrics.ranked_probability_score(y, p))
        # A certain mistake costs 1e-6 and not all: some heads make one.
        found["log_score"].append(
            float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-6)).mean())
        )
        found["qwk"].append(metrics.quadratic_weighted_kappa(y, median))
        found["mae"].append(metrics.mean_absolute_error(y, median))
    return {key: float(np.mean(values)) for key, values in found.items()}


def main(folder: str, out: str, *names: str) -> None:
    """Train on these sets, or all, and keep the scores; a file is continued."""
    torch.set_num_threads(1)
    path = Path(out)
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in names or SETS:
        task = task_of(folder, SETS[name])
        of_set = found.setdefault(
            name, {"rows": len(task.index), "classes": task.n_classes, "scores": {}}
        )
        for key, (make, objective) in pairs().items():
            if key in of_set["scores"]:
                continue
            probs, took = fitted(task, make, objective)
            of_set["scores"][key] = {**scores_of(task, probs), "seconds": took}
            path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
