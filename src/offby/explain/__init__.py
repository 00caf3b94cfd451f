"""The explainer: one page on which to drag the mass of a prediction.

`page.html` is built from `web/` and holds everything; here a comparison goes in.
"""

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offby.explain.grounds import drawn

if TYPE_CHECKING:
    from offby.results import Comparison

__all__ = ["MOST_BINS", "fill", "read", "render"]

MOST_BINS = 300
"""Bins that the page can draw; `web/src/data.ts` has the same number."""

_NO_DATA = '<script type="application/json" id="data">null</script>'


def read(path: Path) -> "Comparison":
    """The comparison in a file that `offby compare` wrote.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    # The page without a comparison is there at once: it needs no PyTorch.
    from offby.results import Comparison

    try:
        return Comparison.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"the comparison must be a file that can be read, got {str(path)!r} "
            f"({error.strerror}); offby compare writes one"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"the comparison must be JSON written by offby compare, got {str(path)!r}, "
            f"which is not ({error}); write it again"
        ) from error


def render(comparison: "Comparison | None" = None) -> str:
    """The page as the text of one HTML file; it opens on a row of `comparison`.

    The same comparison gives the same bytes. Nothing is loaded from elsewhere.

    Raises:
        ValueError: If the rows of the comparison cannot be drawn.

    >>> len(render()) < 300_000
    True
    """
    return _page() if comparison is None else fill(_rows_of(comparison))


def fill(data: dict[str, Any]) -> str:
    """The page with data that are checked already; `web/src/data.ts` reads them."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    # A column named </script> must not end the script.
    return _page().replace(
        _NO_DATA, _NO_DATA.replace("null", text.replace("<", "\\u003c"))
    )


def _page() -> str:
    return files(__name__).joinpath("page.html").read_text(encoding="utf-8")


def _rows_of(comparison: "Comparison") -> dict[str, Any]:
    """What the page needs, checked: it is the last place where a reader gets help."""
    data = comparison.data
    if not comparison.rows:
        raise ValueError(
            "the comparison must hold rows to show, got none; run offby compare again"
        )
    # The bins that the networks of these rows had, not those of the whole table.
    rows = comparison.rows
    grid = rows[0].grid
    if any(row.grid != grid for row in rows):
        raise ValueError(
            "the page draws rows that share their bins, got rows of different folds; "
            "run offby compare again"
        )
    n_bins = len(grid.labels)
    if not 2 <= n_bins <= MOST_BINS:
        raise ValueError(
            f"the page draws 2 to {MOST_BINS} bins, the comparison has {n_bins:,}; "
            f"compare with --bins {MOST_BINS} or fewer"
        )
    for row in rows:
        for method, probs in row.probs.items():
            if len(probs) != n_bins or not all(0 <= p <= 1 for p in probs):
                raise ValueError(
                    f"the prediction of {method} for row {row.number} must be {n_bins} "
                    f"probabilities, got {_short(probs)}; run offby compare again"
                )
        if not 0 <= row.true < n_bins or not math.isfinite(row.value):
            raise ValueError(
                f"the truth of row {row.number} must be a bin and a number, got "
                f"{row.true} and {row.value}; run offby compare again"
            )
    numbers = (*grid.positions, *grid.edges)
    if not all(math.isfinite(x) for x in numbers) or len(grid.positions) != n_bins:
        raise ValueError(
            f"positions and edges must be finite, one position for each of {n_bins} "
            f"bins, got {_short(numbers)}; run offby compare again"
        )
    ground = data.ground
    shown = drawn(ground, grid.labels) if ground else None
    order = shown.order if shown else range(n_bins)
    place = {k: at for at, k in enumerate(order)}
    return {
        "name": data.name,
        "sha256": data.sha256,
        "target": data.target,
        "kind": data.kind,
        "labels": shown.labels if shown else grid.labels,
        "positions": grid.positions,
        "edges": grid.edges,
        "tails": grid.tails,
        "circle": _circle_of(ground),
        "apart": shown.as_dict() if shown else None,
        "measure": _measure_of(comparison),
        "rows": [
            {
                "why": row.why,
                "number": row.number,
                "true": place[row.true],
                "value": row.value,
                "onScale": row.on_scale,
                "probs": {
                    method: [probs[k] for k in order]
                    for method, probs in row.probs.items()
                },
            }
            for row in rows
        ],
    }


def _circle_of(ground: dict[str, Any] | None) -> dict[str, Any] | None:
    if ground is None or ground["kind"] != "Circle":
        return None
    return {key: ground[key] for key in ("period", "distance")}


def _measure_of(comparison: "Comparison") -> dict[str, Any] | None:
    """How training measured distances, so that the page shows losses as trained."""
    measure = comparison.rows[0].grid.measure
    if measure is None:  # of an earlier offby
        return None
    # The rows are of the first fold.
    scale = comparison.data.scales[0] if comparison.data.scales else "none"
    return {
        "unit": measure.unit,
        "edges": measure.edges,
        "scale": "" if scale == "none" else scale,
    }


def _short(numbers: tuple[float, ...]) -> str:
    shown = ", ".join(f"{x:g}" for x in numbers[:6])
    return f"{shown}, … ({len(numbers)} in all)" if len(numbers) > 6 else shown
