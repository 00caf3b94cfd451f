"""How far the answers of a comparison can be trusted: the study behind docs/verdict.md.

    python benchmarks/verdict.py            # about 15 minutes on one core
    python benchmarks/verdict.py --smoke    # the same with few repeats
    python benchmarks/verdict.py --page     # docs/verdict.md from docs/verdict.json

replays docs/verdict_scores.npz, the scores of each held-out row of three sets under
many trained networks (verdict_scores.py made it), and draws made-up scores where truth
must be known. Prints the tables and writes docs/verdict.json.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offby.comparison import inference
from offby.comparison.differences import Paired, Plan, going_on, pair_of
from offby.comparison.inference import FoldScores
from offby.results import Metric

HOME = Path(__file__).parents[1] / "docs"
METRICS = {
    "rps": Metric("rps", "RPS", True, "", ""),
    "log": Metric("log", "log score", True, "", ""),
    "mae": Metric("mae", "MAE of the median", True, "", ""),
}
EMD1 = 1
ROPE = 0.01
DESIGNS = {"--quick (1 seed)": 1, "3 seeds": 3}
Scores = dict[str, np.ndarray]
"""Metric -> losses x seeds x rows."""
Play = tuple[list[Paired], int]
"""The answers at the end of a run, and the fits that it took."""


@dataclass(frozen=True)
class Stored:
    """Scores of one set under networks, or ensembles of them."""

    name: str
    kind: str
    fold: np.ndarray
    scores: Scores

    @property
    def n_seeds(self) -> int:
        return self.scores["rps"].shape[1]


def read(file: Path) -> list[Stored]:
    """All that is stored."""
    found = np.load(file)
    names = dict.fromkeys(key.split("/")[0] for key in found.files)
    return [
        Stored(
            name,
            kind,
            found[f"{name}/fold"],
            {key: found[f"{name}/{kind}/{key}"].astype(float) for key in METRICS},
        )
        for name in names
        for kind in ("networks", "ensembles")
    ]


def folds_of(fold: np.ndarray, rng, rows: int | None = None) -> list[np.ndarray]:
    """Rows of each fold, drawn anew with replacement: so many over all folds."""
    places = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    total = rows or len(fold)
    return [rng.choice(p, round(total * len(p) / len(fold))) for p in places]


def answers(scores: Scores, folds: Sequence[np.ndarray], plan: Plan) -> list[Paired]:
    """Every loss against the leader, by each metric."""
    found = []
    for key, values in scores.items():
        means = np.mean([values[:, :, rows].mean((1, 2)) for rows in folds], 0)
        lead = int(np.argmin(means))
        for loss in range(len(values)):
            if loss != lead:
                apart = [
                    FoldScores(values[loss][:, rows] - values[lead][:, rows])
                    for rows in folds
                ]
                found.append(
                    pair_of(
                        METRICS[key],
                        str(loss),
                        str(lead),
                        apart,
                        plan,
                        abs(means[lead]),
                        len(values),
                    )
                )
    return found


def play(scores: Scores, folds: Sequence[np.ndarray], seeds: int) -> Play:
    """A run that stops when it knows, on the first seeds of the scores.

    A loss that is given up keeps its answer: nothing that it depends on changes, unless
    another loss takes the lead, which the replay leaves out.
    """
    plan = Plan(ROPE, seeds)
    n_losses = len(next(iter(scores.values())))
    left, fits, given_up = list(range(n_losses)), 0, {}
    for seed in range(seeds):
        now = {key: values[left, : seed + 1] for key, values in scores.items()}
        found = answers(now, folds, plan)
        fits += len(left) * len(folds)
        names = [str(place) for place in range(len(left))]
        on = going_on(found, names, plan) if seed + 1 < seeds else ()
        named = {
            (pair.metric.key, left[int(pair.method)]): (pair, left[int(pair.leader)])
            for pair in found
        }
        if not on:
            given_up |= named
            break
        gone = [left[int(name)] for name in names if name not in on]
        given_up |= {at: pair for at, pair in named.items() if at[1] in gone}
        left = [left[int(name)] for name in on]
    return given_up, fits


def false_calls(found: dict, tied: Callable[[int], bool]) -> bool:
    """Whether any of the tied losses is called worse than another of them."""
    return any(
        pair.verdict in ("better", "worse") and tied(loss) and tied(lead)
        for (_, loss), (pair, lead) in found.items()
    )


def seeds_of(scores: np.ndarray, rng, n: int, seeds: int) -> np.ndarray:
    """Losses that are one and the same, with seeds of their own: n x seeds x rows."""
    return scores[rng.permutation(len(scores))[: n * seeds]].reshape(n, seeds, -1)


def tie_of_seeds(stored: Stored, key: str, seeds: int, rows: int | None, rng) -> bool:
    """The same loss under several names, whose networks differ in their seeds."""
    n = min(5, stored.n_seeds // seeds)
    one = stored.scores[key][rng.choice([0, 2, 3, 4])]
    folds = folds_of(stored.fold, rng, rows)
    found, _ = play({key: seeds_of(one, rng, n, seeds)}, folds, seeds)
    return false_calls(found, lambda loss: True)


def tie_of_losses(stored: Stored, key: str, seeds: int, rng) -> bool:
    """Other losses, whose mean difference over all rows and seeds is taken out."""
    values = stored.scores[key][[0, 2, 3, 4]]
    level = values[0].mean()
    values = values - values.mean((1, 2), keepdims=True) + level
    drawn = np.stack([each[rng.permutation(stored.n_seeds)[:seeds]] for each in values])
    found, _ = play({key: drawn}, folds_of(stored.fold, rng), seeds)
    return false_calls(found, lambda loss: True)


def tie_made_up(tails: str, rows: int, n_folds: int, seeds: int, rng) -> bool:
    """Five equal losses from a model of rows, seeds and training sets.

    The seeds add as much to the variance of a fold's mean as its rows do, and what the
    training rows of the fold do to a loss adds a quarter of that.
    """
    n_losses = 5

    def noise(*shape):
        match tails:
            case "t with 3 degrees of freedom":
                return rng.standard_t(3, shape) / np.sqrt(3)
            case "lognormal":
                drawn = rng.lognormal(0, 1, shape)
                return (drawn - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
            case _:
                return rng.normal(size=shape)

    of_fold = np.sqrt(n_folds / rows)
    fold = np.arange(rows) % n_folds
    rows_shared = np.sqrt(0.5) * noise(n_losses, 1, rows)
    rows_own = np.sqrt(0.5) * noise(n_losses, seeds, rows)
    by_seed = of_fold * rng.normal(size=(n_losses, seeds, n_folds))
    by_fold = 0.5 * of_fold * rng.normal(size=(n_losses, 1, n_folds))
    values = 10 + rows_shared + rows_own + (by_seed + by_fold)[:, :, fold]
    folds = [np.flatnonzero(fold == number) for number in range(n_folds)]
    found, _ = play({"rps": values}, folds, seeds)
    return false_calls(found, lambda loss: True)


def planted(stored: Stored, key: str, share: float, seeds: int, rows: int, rng) -> bool:
    """Whether a loss that is worse by a share, beside four equal ones, is settled."""
    n = min(5, stored.n_seeds // seeds)
    one = stored.scores[key][rng.choice([0, 2, 3, 4])]
    values = seeds_of(one, rng, n, seeds).copy()
    values[-1] *= 1 + share
    found, _ = play({key: values}, folds_of(stored.fold, rng, rows), seeds)
    pair, _ = found.get((key, n - 1), (None, 0))
    return pair is not None and pair.verdict == "worse"


def all_losses(stored: Stored, seeds: int, rng) -> tuple[dict, int]:
    """A run of the five losses, judged by the three metrics at once."""
    picked = [rng.permutation(stored.n_seeds)[:seeds] for _ in range(5)]
    drawn = {
        key: np.stack([values[loss][picked[loss]] for loss in range(5)])
        for key, values in stored.scores.items()
    }
    folds = [np.flatnonzero(stored.fold == number) for number in range(3)]
    return play(drawn, folds, seeds)


def agreement(stored: Stored, seeds: int, repeats: int, rng) -> dict[str, float]:
    """What short runs say, against the means and the verdicts of all seeds together."""
    folds = [np.flatnonzero(stored.fold == number) for number in range(3)]
    whole = answers(stored.scores, folds, Plan(ROPE, 1))
    said = {(p.metric.key, int(p.method), int(p.leader)): p for p in whole}
    leads = {p.metric.key: int(p.leader) for p in whole}
    settled = wrong = same = total = emd1 = saved = 0
    share_saved = []
    for _ in range(repeats):
        found, fits = all_losses(stored, seeds, rng)
        share_saved.append(1 - fits / (5 * 3 * seeds))
        for (key, loss), (pair, lead) in found.items():
            total += 1
            emd1 += loss == EMD1 and pair.verdict == "worse" and key == "rps"
            truth = _truth(said, leads, key, loss, lead)
            same += pair.verdict == truth
            if pair.verdict != "not settled":
                settled += 1
                wrong += not _fits(pair.verdict, loss, lead, key, stored, truth)
    saved = float(np.median(share_saved))
    return {
        "settled": settled / total,
        "contradicted": wrong / max(1, settled),
        "same": same / total,
        "emd1 settled": emd1 / repeats,
        "saved": saved,
    }


def _truth(said, leads, key, loss, lead) -> str:
    """What all seeds say of a loss, as an answer to the leader of the short run."""
    if loss == leads[key]:
        pair = said.get((key, lead, loss))
        turned = {"worse": "better", "better": "worse"}
        return turned.get(pair.verdict, pair.verdict) if pair else "not settled"
    pair = said.get((key, loss, leads[key]))
    return pair.verdict if pair else "not settled"


def _fits(verdict: str, loss: int, lead: int, key, stored: Stored, truth: str) -> bool:
    """Whether the means over all seeds bear a settled answer out."""
    if verdict == truth:
        return True
    means = stored.scores[key].mean((1, 2))
    apart = (means[loss] - means[lead]) / means[lead]
    if verdict == "practically equal":
        return abs(apart) <= ROPE
    return (apart > 0) == (verdict == "worse")


def ratios(stored: Stored, key: str) -> tuple[float, float]:
    """Variance of a fold's mean under one seed, over what its rows explain; median."""
    values, found, shared = stored.scores[key], [], []
    for a in (0, 2, 3, 4):
        for b in (0, 2, 3, 4):
            if a < b:
                apart = [
                    FoldScores((values[a] - values[b])[:, stored.fold == number])
                    for number in range(3)
                ]
                m = inference.moments(apart)
                found.append((m.shared + m.seeds_apart) / m.one)
                shared.append(m.shared / m.one)
    return float(np.median(found)), float(np.median(shared))


def study(file: Path, repeats: int) -> dict:
    """All tables."""
    everything = read(file)
    rng = np.random.default_rng(0)
    found: dict = {"repeats": repeats, "ties": [], "power": [], "runs": [], "prior": []}

    def share(of: Callable[..., bool], *args) -> float:
        return float(np.mean([of(*args, rng) for _ in range(repeats)]))

    def add(table: str, **row) -> None:
        found[table].append(row)
        print(table, row, flush=True)

    for stored in everything:
        where = {"set": stored.name, "models": stored.kind}
        for key in METRICS:
            ratio, shared = ratios(stored, key)
            add("prior", **where, metric=key, ratio=ratio, shared=shared)
    for stored in everything:
        where = {"set": stored.name, "models": stored.kind}
        for design, seeds in DESIGNS.items():
            if stored.n_seeds < 2 * seeds:
                continue
            for key in METRICS:
                at = {**where, "design": design, "metric": key}
                for rows in (None, 100):
                    add(
                        "ties",
                        **at,
                        rows=rows or len(stored.fold),
                        of="seeds",
                        false=share(tie_of_seeds, stored, key, seeds, rows),
                    )
                add(
                    "ties",
                    **at,
                    rows=len(stored.fold),
                    of="losses",
                    false=share(tie_of_losses, stored, key, seeds),
                )
                size, rows = (0.1, 2000) if seeds == 1 else (0.05, 1000)
                settled = share(planted, stored, key, size, seeds, rows)
                add("power", **at, rows=rows, worse_by=size, settled=settled)
    for tails in ("normal", "t with 3 degrees of freedom", "lognormal"):
        for rows in (60, 1000):
            for n_folds, seeds in ((3, 1), (5, 3), (10, 5)):
                add(
                    "ties",
                    set="made up",
                    models=tails,
                    design=f"{n_folds} folds, {seeds} seeds",
                    metric="",
                    rows=rows,
                    of="model",
                    false=share(tie_made_up, tails, rows, n_folds, seeds),
                )
    for stored in everything:
        for design, seeds in DESIGNS.items():
            if stored.n_seeds >= 2 * seeds:
                row = agreement(stored, seeds, min(repeats, 40), rng)
                where = {"set": stored.name, "models": stored.kind, "design": design}
                add("runs", **where, **row)
    return found


def page(found: dict) -> str:
    """The tables of docs/verdict.md, in Markdown."""
    lines = [
        "| ties, by how they were made | ties | called better or worse | worst case |"
    ]
    lines.append("|---|---|---|---|")
    for title, rows in _kinds(found["ties"]).items():
        shares = [row["false"] for row in rows]
        count = len(rows) * found["repeats"]
        lines.append(
            f"| {title} | {count:,} | {_percent(float(np.mean(shares)))} | "
            f"{_percent(max(shares))} |"
        )
    lines += ["", "| a planted difference is settled | RPS | log score | MAE |"]
    lines.append("|---|---|---|---|")
    keys = dict.fromkeys((r["set"], r["models"], r["design"]) for r in found["power"])
    for key in keys:
        rows = [
            r for r in found["power"] if (r["set"], r["models"], r["design"]) == key
        ]
        cells = " | ".join(_percent(row["settled"]) for row in rows)
        size = f"{rows[0]['worse_by']:.0%}".replace("%", " %")
        where = f"{size}, {rows[0]['rows']:,} rows, {key[2]}: {key[0]}, {key[1]}"
        lines.append(f"| {where} | {cells} |")
    lines += [
        "",
        "| runs of five losses, three metrics | answers settled | contradicted | "
        "same words | emd1 settled | fits saved |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["runs"]:
        names = ("settled", "contradicted", "same", "emd1 settled", "saved")
        cells = " | ".join(_percent(row[name]) for name in names)
        lines.append(f"| {row['set']}, {row['models']}, {row['design']} | {cells} |")
    lines += [
        "",
        "| variance of a fold's mean / what its rows explain | RPS | log | MAE |",
    ]
    lines.append("|---|---|---|---|")
    for key in dict.fromkeys((r["set"], r["models"]) for r in found["prior"]):
        rows = [r for r in found["prior"] if (r["set"], r["models"]) == key]
        cells = " | ".join(f"{row['ratio']:.1f}" for row in rows)
        lines.append(f"| {key[0]}, {key[1]} | {cells} |")
    return "\n".join(lines)


def _kinds(ties: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in ties:
        match row["of"]:
            case "seeds":
                few = ", 100 rows" if row["rows"] == 100 else ""
                title = f"one loss, other seeds{few}: {row['models']}, {row['design']}"
            case "losses":
                title = f"four losses, means made equal: {row['models']}, "
                title += row["design"]
            case _:
                title = f"made up, {row['models']}, {row['rows']:,} rows"
        found.setdefault(title, []).append(row)
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


MARKS = ("<!-- study -->\n", "\n<!-- end of study -->")


def write_page(found: dict, file: Path = HOME / "verdict.md") -> None:
    """Put the tables into the page."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    file.write_text(
        before + MARKS[0] + page(found) + MARKS[1] + after, encoding="utf-8"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, default=HOME / "verdict_scores.npz")
    parser.add_argument("--out", type=Path, default=HOME / "verdict.json")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--repeats", type=int, default=120)
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    asked = parser.parse_args(arguments)
    if asked.page:
        write_page(json.loads(asked.out.read_text(encoding="utf-8")))
        return
    found = study(asked.scores, 1 if asked.smoke else asked.repeats)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"wrote {asked.out.name}")


if __name__ == "__main__":
    main()
