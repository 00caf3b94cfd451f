"""Forecasts with tails, as the page draws them: their mass in the bins beside them."""

from dataclasses import replace

from offby.results import Grid, Row


def without_tails(row: Row) -> Row:
    """The row on a grid whose end bins hold what lies beyond them, and say so.

    A tail is as wide as the numbers spread and holds next to nothing: drawn to scale,
    it would only make all other bins narrower.

    >>> at, edges = (0.5, 1.5, 3.0), (0, 1, 2, 4)
    >>> grid = Grid(("a", "b", "above 2"), at, edges, "upper-half-normal")
    >>> row = Row("typical", 0, 2, 3.5, {"ce": (0.5, 0.25, 0.25)}, grid)
    >>> found = without_tails(row)
    >>> found.grid.labels, found.grid.edges, found.true, found.probs
    (('a', '1 and more'), (0, 1, 2), 1, {'ce': (0.5, 0.5)})
    """
    grid = row.grid
    first = int(grid.tails in ("half-normal", "lower-half-normal"))
    last = len(grid.labels) - int(grid.tails in ("half-normal", "upper-half-normal"))
    if last - first == len(grid.labels) or last - first < 2:
        return row
    labels, edges = list(grid.labels[first:last]), grid.edges[first : last + 1]
    if first:
        labels[0] = f"below {edges[1]:.4g}"
    if last < len(grid.labels):
        labels[-1] = f"{edges[-2]:.4g} and more"
    drawn = Grid(tuple(labels), grid.positions[first:last], edges)
    probs = {key: _gathered(each, first, last) for key, each in row.probs.items()}
    true = min(max(row.true, first), last - 1) - first
    return replace(row, true=true, probs=probs, grid=drawn)


def _gathered(probs: tuple[float, ...], first: int, last: int) -> tuple[float, ...]:
    kept = list(probs[first:last])
    kept[0] += sum(probs[:first])
    kept[-1] += sum(probs[last:])
    return tuple(min(p, 1.0) for p in kept)
