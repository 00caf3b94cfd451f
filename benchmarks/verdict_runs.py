"""Short runs of five losses, against what all stored seeds say together."""

import numpy as np
from verdict_oracle import oracle_agrees
from verdict_replay import EMD1, METRICS, ROPE, Stored, answers, play, whole_folds

from offby.comparison import inference
from offby.comparison.differences import Plan, scale_of
from offby.comparison.inference import FoldScores


def all_losses(stored: Stored, seeds: int, rng) -> tuple[dict, int]:
    """A run of the five losses, judged by the three metrics at once."""
    picked = [rng.permutation(stored.n_seeds)[:seeds] for _ in range(5)]
    drawn = {
        key: np.stack([values[loss][picked[loss]] for loss in range(5)])
        for key, values in stored.scores.items()
    }
    return play(drawn, whole_folds(stored), seeds)


def agreement(stored: Stored, seeds: int, repeats: int, rng) -> dict[str, float]:
    """What short runs say, against the means and the verdicts of all seeds together."""
    whole = answers(stored.scores, whole_folds(stored), Plan(ROPE, 1))
    said = {(p.metric.key, int(p.method), int(p.leader)): p for p in whole}
    leads = {p.metric.key: int(p.leader) for p in whole}
    settled = wrong = same = opposite = more = less = total = 0
    emd1 = dict.fromkeys(stored.scores, 0)
    share_saved = []
    for _ in range(repeats):
        found, fits = all_losses(stored, seeds, rng)
        share_saved.append(1 - fits / (5 * 3 * seeds))
        for (key, loss), (pair, lead) in found.items():
            total += 1
            emd1[key] += loss == EMD1 and pair.verdict == "worse"
            truth = _truth(said, leads, key, loss, lead)
            same += pair.verdict == truth
            opposite += {pair.verdict, truth} == {"better", "worse"}
            more += pair.verdict != "not settled" == truth
            less += pair.verdict == "not settled" != truth
            if pair.verdict != "not settled":
                settled += 1
                wrong += not _fits(pair.verdict, loss, lead, key, stored, truth)
    return {
        "settled": settled / total,
        "contradicted": wrong / max(1, settled),
        "same": same / total,
        "same by oracle": oracle_agrees(stored, seeds, repeats, whole, rng),
        "opposite": opposite / total,
        "settles more": more / total,
        "settles less": less / total,
        "saved": float(np.median(share_saved)),
        **{f"emd1 settled by {key}": n / repeats for key, n in emd1.items()},
        **{f"emd1 worse by {key}": _worse(stored, key) for key in emd1},
    }


def _worse(stored: Stored, key: str) -> float:
    """By how much emd1 is worse than the best loss, over all seeds: `scale_of`."""
    means = stored.scores[key].mean((1, 2))
    best = means.min()
    return float((means[EMD1] - best) / scale_of(METRICS[key], best))


def _truth(said, leads, key, loss, lead) -> str:
    """What all seeds say of a loss, as an answer to the leader of the short run."""
    if loss == leads[key]:
        pair = said.get((key, lead, loss))
        turned: dict[str, str] = {"worse": "better", "better": "worse"}
        return turned.get(pair.verdict, pair.verdict) if pair else "not settled"
    pair = said.get((key, loss, leads[key]))
    return pair.verdict if pair else "not settled"


def _fits(verdict: str, loss: int, lead: int, key, stored: Stored, truth: str) -> bool:
    """Whether the means over all seeds bear a settled answer out."""
    if verdict == truth:
        return True
    means = stored.scores[key].mean((1, 2))
    apart = (means[loss] - means[lead]) / scale_of(METRICS[key], means[lead])
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
                    FoldScores(
                        (values[a] - values[b])[:, stored.fold == number],
                        groups=stored.groups[stored.fold == number],
                    )
                    for number in range(3)
                ]
                m = inference.moments(apart)
                found.append((m.shared + m.seeds_apart) / m.one)
                shared.append(m.shared / m.one)
    return float(np.median(found)), float(np.median(shared))
