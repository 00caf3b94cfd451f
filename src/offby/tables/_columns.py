"""The columns beside the target: what is learned from, and what a column is for."""

import difflib
import re
from collections.abc import Sequence

import numpy as np

from offby.tables._phrases import column_list, row_count, some


def check_column(columns: Sequence[str], name: str) -> None:
    """Refuse the name of no column, with the one that was meant."""
    if name in columns:
        return
    lower = {column.lower(): column for column in columns}
    guess = difflib.get_close_matches(name.lower(), lower, 1)
    hint = f"did you mean {lower[guess[0]]!r}? " if guess else "take one of them. "
    raise ValueError(
        f"the column must be in the table, got {name!r}; {hint}Columns: {some(columns)}"
    )


def known_rows(frame, target: str, notes: list[str]):
    """The rows whose target is there; infinite ones are refused."""
    import polars

    column = frame[target]
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(True)
        infinite = int(column.is_infinite().sum())
        if infinite:
            raise ValueError(
                f"target {target!r} must be finite, got {row_count(infinite)} with an "
                "infinite value; remove or correct them"
            )
    elif column.dtype == polars.Null:
        missing = polars.Series([True] * len(column))
    n_missing = int(missing.sum())
    if n_missing == frame.height:
        raise ValueError(
            f"target {target!r} must have values, got none in "
            f"{row_count(frame.height)}; name another column"
        )
    if n_missing:
        notes.append(f"{row_count(n_missing)} without a target left out.")
        frame = frame.filter(~missing)
    if frame.height == 1:
        raise ValueError(
            "a comparison needs many rows to train and to test on, got 1 row with a "
            "target; bring more data"
        )
    if frame[target].n_unique() == 1:
        raise ValueError(
            f"target {target!r} must vary, got {frame[target][0]!r} in all "
            f"{frame.height} rows; name another column"
        )
    return frame


_ID_NAME = re.compile(
    r"(^|[_\W])(id|index|idx|key|uuid|rownames?|row|nr|no)$|^unnamed", re.I
)
_NEARLY_ALL = 0.95


def features(frame, notes: list[str], left_out: dict[str, str]):
    """Columns as numbers (floats) and text, without those that carry nothing.

    Args:
        frame: All columns beside the target.
        notes: Gets a sentence for each kind of column that is left out or changed.
        left_out: Gets each column that is left out, with the reason.
    """
    import polars

    kept, empty, constant, ids, strange, dates = [], [], [], [], [], []
    infinite = 0
    for column in frame.get_columns():
        is_id = _is_id(column)
        dtype = column.dtype
        if dtype.is_temporal():
            dates.append(column.name)
            column = column.to_physical().cast(polars.Float64)
        elif dtype.is_numeric() or dtype == polars.Boolean:
            column = column.cast(polars.Float64)
            bad = int((~column.is_finite()).sum())
            if bad:
                infinite += int(column.is_infinite().sum())
                finite = column.is_finite()
                column = column.set(~finite.fill_null(False), None)
        elif dtype == polars.Null:
            empty.append(column.name)
            continue
        elif dtype in (polars.String, polars.Categorical, polars.Enum):
            column = _words(column)
        else:
            strange.append(column.name)
            continue
        if column.null_count() == len(column):
            empty.append(column.name)
        elif is_id:
            ids.append(column)
        elif column.n_unique() == 1:
            constant.append(column.name)
        else:
            kept.append(column)
    if not kept:
        # Where a counter is all there is, it may be the time.
        kept = [column for column in ids if column.dtype.is_numeric()]
        ids = [column for column in ids if not column.dtype.is_numeric()]
    for names, one, many in (
        (empty, "has no values", "have no values"),
        (constant, "is the same in all rows", "are the same in all rows"),
        (_names(ids), "only names or numbers the rows", "only name or number the rows"),
        (strange, "holds neither numbers nor text", "hold neither numbers nor text"),
    ):
        left_out |= dict.fromkeys(names, one)
        if len(names) == 1:
            notes.append(f"{_sentence_start(names)} {one} and was left out.")
        elif names:
            notes.append(f"{_sentence_start(names)} {many} and were left out.")
    if dates:
        verb = "was" if len(dates) == 1 else "were"
        notes.append(f"{_sentence_start(dates)} {verb} read as dates or times.")
    if infinite:
        cells = "value" if infinite == 1 else "values"
        notes.append(f"{infinite} infinite {cells} outside the target read as missing.")
    if not kept:
        raise ValueError(
            "the table must have columns to learn from beside the target, got none"
            + (f" ({' '.join(notes)})" if notes else "")
            + "; drop fewer or add some"
        )
    return polars.DataFrame(kept)


def _words(column):
    """Text; codes of digits that were kept as text are categories, and say so."""
    import polars

    text = column.cast(polars.String)
    known = text.drop_nulls()
    numbers = known.cast(polars.Float64, strict=False)
    are_codes = len(known) and not numbers.null_count()
    return text.cast(polars.Categorical) if are_codes else text


def _names(columns) -> list[str]:
    return [column.name for column in columns]


def _sentence_start(names: Sequence[str]) -> str:
    text = column_list(names)
    return text[0].upper() + text[1:]


def _is_id(column) -> bool:
    """Whether a column names the rows: learned from, it would be learned by heart."""
    import polars

    known = column.drop_nulls()
    if len(known) < 2 or column.dtype.is_temporal():
        return False
    n_different = known.n_unique()
    if column.dtype == polars.String:
        # Text that differs in nearly every row; of few rows, in every row.
        share = n_different / len(known)
        return share == 1 or (len(known) >= 50 and share >= _NEARLY_ALL)
    if not column.dtype.is_integer() or n_different < len(column):
        return False
    counts_rows = known.is_sorted() and known.max() - known.min() == len(known) - 1
    # Years count up, too, but not from the first row on.
    counts_rows = counts_rows and known.min() in (0, 1)
    digits = known.abs().cast(polars.String).str.len_chars()
    numbered = len(known) >= 100 and digits.min() == digits.max() >= 6
    return bool(counts_rows or numbered or _ID_NAME.search(column.name))


def warn_of_leaks(X, target, notes: list[str]) -> None:
    """Name the columns that are the target, or a function of it."""
    import polars

    values = target.to_physical() if target.dtype.is_temporal() else target
    if values.dtype == polars.String or values.dtype == polars.Enum:
        values = values.cast(polars.Categorical).to_physical()
    y = values.cast(polars.Float64).to_numpy()
    leaks = []
    for column in X.get_columns():
        if not column.dtype.is_numeric():
            leak = _follows(column.cast(polars.String), y)
        else:
            x = column.to_numpy().astype(np.float64)
            known = np.isfinite(x)
            pairs = x[known], y[known]
            varied = known.sum() >= 10 and all(len(np.unique(v)) > 2 for v in pairs)
            leak = varied and (
                _rank_correlation(*pairs) > 0.999 or _follows(column.cast(str), y)
            )
        if leak:
            leaks.append(column.name)
    if leaks:
        verb = "tells" if len(leaks) == 1 else "tell"
        names = ",".join(leaks)
        notes.append(
            f"{_sentence_start(leaks)} {verb} the target almost exactly (correlation "
            f"above 0.999). If that is not known before the target is, use --drop "
            f"{names}."
        )


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    return abs(float(np.corrcoef(rankdata(x), rankdata(y))[0, 1]))


def _follows(column, y: np.ndarray) -> bool:
    """Whether the categories of a column tell the target."""
    codes = np.unique(column.fill_null("").to_numpy().astype(str), return_inverse=True)[
        1
    ]
    counts = np.bincount(codes)
    if not 2 < len(counts) <= len(y) / 5:
        return False
    means = np.bincount(codes, y) / counts
    return bool(np.var(y - means[codes]) < 0.001 * np.var(y)) and len(np.unique(y)) > 2
