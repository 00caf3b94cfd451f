"""The table that the three examples of grounds print: hours.py, oils.py, cities.py."""

from offby import Comparison


def show(found: Comparison, unit: str) -> None:
    """Scores of every loss, the interval beside the best one, and what is settled.

    Args:
        found: A comparison on a ground.
        unit: Unit of its distances.
    """
    first = found.metrics[0]
    best = found.best_loss(first)
    beside = {d.method: d for d in found.differences if d.metric == first.key}
    titles = ["energy score", "beside the best, %", "log score", "mean distance"]
    print(f"{found.data.n_rows:,} rows, distances in {unit}\n")
    print(f"{'loss':10s}" + "".join(f"{title:>22s}" for title in titles))
    for loss in sorted(found.losses, key=lambda key: _mean(found, key, first.key)):
        interval = "best"
        if loss != best:
            low, high = (
                100 * share
                for share in (beside[loss].worse_by_low, beside[loss].worse_by_high)
            )
            interval = f"{low:+.1f} to {high:+.1f}"
        scores = [_mean(found, loss, key) for key in ("rps", "log_score", "mae")]
        cells = [
            f"{scores[0]:.3f}",
            interval,
            *(f"{score:.3f}" for score in scores[1:]),
        ]
        print(f"{loss:10s}" + "".join(f"{cell:>22s}" for cell in cells))
    print()
    for answer in found.verdicts[:3]:
        print(f"- {answer.sentence}")
    print()


def _mean(found: Comparison, loss: str, metric: str) -> float:
    mean = found.mean(loss, metric)
    return float("inf") if mean is None else mean
