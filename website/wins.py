"""Where a loss was measured and where it won, from the JSON files of benchmarks."""

import json
from collections.abc import Iterator
from statistics import median
from typing import Any

import stage

METRICS = {
    "rps": "RPS",
    "crps": "CRPS",
    "log_score": "log score",
    "mae": "MAE",
    "rmse": "RMSE",
    "qwk": "QWK",
    "accuracy": "accuracy",
    "far": "far errors",
}
ON_TWO_TABLES = {
    "wine-red": "red wine quality, 6 classes",
    "concrete": "strength of concrete, 50 bins",
    "wine-red, perceptron": "red wine quality, a plain perceptron",
    "concrete, perceptron": "strength of concrete, an earlier perceptron",
}
PAGES = {
    "choosing": "which loss when",
    "why": "what predicts the best loss",
    "heads": "last layers",
    "boosted": "boosted trees",
}


def where_it_wins(name: str) -> str:
    """A section for the page of a loss: one line for each measurement that had it."""
    rows = [
        *_two_tables(name),
        *_many_problems(name),
        *_linear_heads(name),
        *_trees(name),
    ]
    if not rows:
        return (
            "## Where it wins\n\nNone of our measurements on data sets includes this "
            "loss, so we cannot say. `offby compare --losses` or a training loop of "
            "your own can."
        )
    table = "\n".join(
        f"| {what} | {result} | [{PAGES[page]}](../{page}.md) |"
        for what, result, page in rows
    )
    return (
        "## Where it wins\n\nEvery measurement of this project that includes the loss, "
        "also those in which it does not win:\n\n"
        f"| measured on | result | page |\n|---|---|---|\n{table}"
    )


Row = tuple[str, str, str]


def _two_tables(name: str) -> Iterator[Row]:
    for data, found in _measured("choosing.json").items():
        verdicts = found["verdicts"]
        if name not in found["means"]:
            continue
        groups: dict[str, list[str]] = {}
        for metric, verdict in verdicts.items():
            said = "best" if verdict["best"] == name else verdict["said"][name]
            groups.setdefault(_plain(said), []).append(METRICS[metric])
        parts = [f"{said} by {_listed(metrics)}" for said, metrics in groups.items()]
        result = "; ".join(sorted(parts, key=lambda part: not part.startswith("best")))
        n_losses = 1 + len(next(iter(verdicts.values()))["said"])
        yield (
            f"{ON_TWO_TABLES.get(data, data)}, {n_losses} losses",
            result,
            "choosing",
        )


def _plain(said: str) -> str:
    """A verdict in words that fit after 'the loss is ...'."""
    undecided = ("can't tell", "no clear difference", "not settled")
    return "not clearly different from the best" if said in undecided else said


def _many_problems(name: str) -> Iterator[Row]:
    problems = _measured("why.json")
    for kind, what, metric in (
        ("classes", "problems with classes", "rps"),
        ("number", "problems with a number in bins", "crps"),
    ):
        found = [p["scores"] for p in problems if p["kind"] == kind]
        found = [scores for scores in found if name in scores]
        if not found:
            continue
        scored = [{loss: of[metric] for loss, of in each.items()} for each in found]
        others = [loss for loss in scored[0] if loss != name]
        result = (
            f"lowest {METRICS[metric]} in {_wins(name, scored)} of {len(scored)}, "
            f"against {_listed([f'`{loss}`' for loss in others])}"
        )
        if name != "ce":
            gain = median(100 * (1 - each[name] / each["ce"]) for each in scored)
            result += f"; median gain over `ce`: {gain:+.1f} %"
        yield f"{len(scored)} {what}, a small network", result, "why"


def _linear_heads(name: str) -> Iterator[Row]:
    scored = []
    for of_set in _measured("heads.json").values():
        heads = {
            key.split(" | ")[1]: key
            for key in of_set["scores"]
            if "linear" in key and "soft" not in key
        }
        scored.append({k: of_set["scores"][key]["rps"] for k, key in heads.items()})
    if name in scored[0]:
        others = _listed([f"`{loss}`" for loss in scored[0] if loss != name])
        yield (
            f"{len(scored)} small ordinal sets, a network with an ordinary last layer",
            f"lowest RPS on {_wins(name, scored)}, against {others}",
            "heads",
        )


def _trees(name: str) -> Iterator[Row]:
    fits = list(_measured("boosting_defaults.json").values())
    for losses in sorted({tuple(k for k in fit if _is_loss(k)) for fit in fits}):
        own = f"loss {name}"
        if own not in losses:
            continue
        scored = [
            {loss: fit[loss]["score"] for loss in losses}
            for fit in fits
            if tuple(k for k in fit if _is_loss(k)) == losses
        ]
        metric = "CRPS" if "loss crps" in losses else "RPS"
        others = _listed([f"`{k.removeprefix('loss ')}`" for k in losses if k != own])
        yield (
            f"{len(scored)} splits of data sets, boosted trees, {metric}",
            f"lowest {metric} on {_wins(own, scored)}, against {others}",
            "boosted",
        )


def _is_loss(setting: str) -> bool:
    return setting.startswith("loss ")


def _wins(name: str, scored: list[dict[str, float]]) -> int:
    """In how many problems the loss has the lowest score; a tie counts for each."""
    return sum(each[name] <= min(each.values()) for each in scored)


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _measured(file: str) -> Any:
    return json.loads((stage.DOCS / file).read_text(encoding="utf-8"))
