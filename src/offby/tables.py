"""Tables from files, and what a target column asks for."""

import csv
import difflib
import gzip
import shlex
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import polars

FORMATS = ("csv", "tsv", "parquet", "arrow", "feather", "ndjson", "jsonl")
MANY = 20
"""A target with more different numbers than this is a number, not classes."""

_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]

# Scales people use, lowest first: they only make the suggested command likelier to be
# right, never the order that is used.
_SCALES = (
    "none very-low low lower medium mid middle moderate high higher very-high severe",
    "terrible very-poor poor bad fair average okay ok good very-good great excellent",
    "never rarely seldom sometimes often usually always",
    "xs s m l xl xxl",
    "tiny small medium large huge",
    "no maybe yes",
)


@dataclass(frozen=True, eq=False)
class Problem:
    """What there is to learn: the columns, and the target as classes or as numbers."""

    X: "polars.DataFrame"
    y: np.ndarray
    """Codes of the classes from 0, or the numbers themselves."""
    kind: Literal["classes", "number"]
    labels: tuple[str, ...]
    """Names of the classes in order; empty for numbers."""
    positions: tuple[float, ...]
    """Values of the classes if they have any, else 0, 1, ...; empty for numbers."""
    notes: tuple[str, ...]
    """What was dropped, merged or read in a way of two, a sentence each."""
    groups: np.ndarray | None = None
    """Group of each row, a whole number."""
    time: np.ndarray | None = None
    """When each row came."""
    weights: np.ndarray | None = None


def read(path: str | Path) -> "polars.DataFrame":
    """The table in a file, or a packaged data set by its name.

    Args:
        path: A csv, tsv, parquet, arrow, feather, ndjson or jsonl file, also with .gz
            behind; or a name such as `wine-red` where no file is called that.

    Raises:
        ValueError: If there is no such file, or it is not what its name says.
        RuntimeError: If polars is missing.
    """
    polars = _polars()
    file = _file(path)
    suffixes = [suffix.lower().lstrip(".") for suffix in file.suffixes]
    zipped = suffixes[-1:] == ["gz"]
    suffix = "".join(suffixes[:-1][-1:] if zipped else suffixes[-1:])
    if suffix not in FORMATS:
        raise ValueError(
            f"the data must be a file of {', '.join(FORMATS)} (or .gz of it), got "
            f"{file.name!r}; save the table as CSV"
        )
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ValueError(
            f"the data must be a readable file, got {str(path)!r}: {error.strerror}; "
            "check its permissions"
        ) from error
    # Both gzip and polars raise OSError, too, for bytes that make no sense to them.
    wrong = (polars.exceptions.PolarsError, OSError, EOFError, zlib.error)
    try:
        frame = _parsed(gzip.decompress(raw) if zipped else raw, suffix)
    except wrong as error:
        reason = (str(error).strip() or "it ends too early").splitlines()[0]
        raise ValueError(
            f"the data must be valid {suffix}, got {str(path)!r}: {reason}; check that "
            "the file is whole and its name fits its format"
        ) from error
    if not frame.height:
        raise ValueError(
            f"the data must have rows, got {str(path)!r} with none; check the file"
        )
    return frame


def prepare(
    frame: "polars.DataFrame",
    target: str,
    *,
    order: Sequence[str] = (),
    drop: Sequence[str] = (),
    kind: Literal["auto", "classes", "number"] = "auto",
    folds: int = 5,
    min_class: int | None = None,
    groups: str | None = None,
    time: str | None = None,
    weights: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    source: str = "DATA",
) -> Problem:
    """The columns to learn from and the target to learn, checked and cleaned.

    An integer target with at most 20 different values is ordered classes; so are other
    numbers that repeat as much. Text needs `order`. Everything else is a number.

    Args:
        frame: The whole table.
        target: Its column to predict.
        order: The classes, lowest first.
        drop: Columns to leave out.
        kind: `"number"` to cut an integer target into bins all the same.
        folds: Number of folds that the rows must be enough for.
        min_class: A class with fewer rows joins its nearest neighbor; `folds` by
            default.
        groups: Column of the group of each row, which is not learned from.
        time: Column that says when each row came, which is not learned from.
        weights: Column of the weight of each row, which is not learned from.
        sample: Take this many rows at random, where there are more.
        seed: Where their choice comes from.
        source: The file, for the command that a message suggests.

    Raises:
        ValueError: If nothing can be learned from the table as asked.
    """
    notes: list[str] = []
    roles = {"--groups": groups, "--time": time, "--weights": weights}
    named = {flag: name for flag, name in roles.items() if name is not None}
    for name in (target, *drop, *named.values()):
        _check_column(frame, name)
    for flag, name in named.items():
        if name == target or list(named.values()).count(name) > 1:
            raise ValueError(
                f"{flag} must name a column with no other use, got {name!r}; name "
                "another"
            )
    if target in drop:
        raise ValueError(
            f"the target must stay in the table, got {target!r} among the columns to "
            "drop; take it out of --drop"
        )
    if sample is not None and sample < frame.height:
        notes.append(f"{sample:,} of {frame.height:,} rows taken at random")
        frame = frame.sample(sample, seed=seed)
    frame = _known_rows(frame, target, notes)
    if groups and time:
        raise ValueError(
            "rows are cut by groups or by time, got both --groups and --time; name the "
            "one across which the model will be used"
        )
    if named:
        notes.append(
            f"not learned from: {_columns(list(named.values()))}, which say how rows "
            "are cut or weighed"
        )
    by_row = {
        "groups": None if groups is None else _group_numbers(frame[groups]),
        "time": None if time is None else _times(frame[time]),
        "weights": None if weights is None else _weights(frame[weights]),
    }
    X = _features(frame.drop(target, *{*drop, *named.values()}), notes)
    _note_copies(X.with_columns(frame[target].alias("")), notes)
    column = frame[target]
    kind = _kind(column, kind, order, notes)
    if kind == "number":
        values = column.cast(float).to_numpy().astype(float)
        if len(values) < 2 * folds:
            raise ValueError(
                f"{folds} folds need at least {2 * folds} rows, got {len(values)}; use "
                "fewer --folds or more data"
            )
        return Problem(X, values, "number", (), (), tuple(notes), **by_row)
    words, labels, positions = _classes(column, order, source, notes)
    codes, labels, positions = _merged(
        words, labels, positions, folds, min_class or folds, notes
    )
    return Problem(X, codes, "classes", labels, positions, tuple(notes), **by_row)


def split_list(text: str) -> tuple[str, ...]:
    """The items of a comma-separated list; one with a comma stands in double quotes.

    >>> split_list('low, "so, so",high')
    ('low', 'so, so', 'high')
    """
    items = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(item.strip() for item in items if item.strip())


def _polars():
    try:
        import polars
    except ImportError as error:
        raise RuntimeError(
            'reading tables needs polars; run pip install "offby[compare]"'
        ) from error
    return polars


def _file(path: str | Path) -> Path:
    from offby import datasets

    file = Path(path)
    if file.is_dir():
        raise ValueError(
            f"the data must be a file, got the folder {str(path)!r}; name a file in it"
        )
    if file.exists():
        return file
    if str(path) in datasets.names():
        return datasets.load(str(path))
    near = [entry.name for entry in file.parent.glob("*")] + datasets.names()
    guess = difflib.get_close_matches(file.name, near, 1)
    hint = f"did you mean {guess[0]!r}?" if guess else "check the path"
    raise ValueError(
        f"the data must be a file or a packaged set ({', '.join(datasets.names())}), "
        f"got {str(path)!r}, which is neither; {hint}"
    )


def _parsed(raw: bytes, suffix: str) -> "polars.DataFrame":
    polars = _polars()
    match suffix:
        case "csv" | "tsv":
            header = raw.split(b"\n", 1)[0]
            # Files from spreadsheets in half of Europe are called csv and use ";".
            found = max((b",", b";", b"\t"), key=header.count).decode()
            return polars.read_csv(
                raw,
                separator="\t" if suffix == "tsv" else found,
                infer_schema_length=None,
                null_values=_MISSING,
            )
        case "parquet":
            return polars.read_parquet(BytesIO(raw))
        case "arrow" | "feather":
            if raw.startswith(b"ARROW1"):
                return polars.read_ipc(BytesIO(raw))
            return polars.read_ipc_stream(BytesIO(raw))
        case _:
            return polars.read_ndjson(BytesIO(raw), infer_schema_length=None)


def _check_column(frame, name: str) -> None:
    if name in frame.columns:
        return
    lower = {column.lower(): column for column in frame.columns}
    guess = difflib.get_close_matches(name.lower(), lower, 1)
    hint = f"did you mean {lower[guess[0]]!r}? " if guess else "take one of them. "
    shown = ", ".join(frame.columns[:8])
    more = f", ... (+{frame.width - 8})" if frame.width > 8 else ""
    raise ValueError(
        f"the column must be in the table, got {name!r}; {hint}Columns: {shown}{more}"
    )


def _known_rows(frame, target: str, notes: list[str]):
    """The rows whose target is there; infinite ones are refused."""
    import polars

    column = frame[target]
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(True)
        infinite = int(column.is_infinite().sum())
        if infinite:
            raise ValueError(
                f"target {target!r} must be finite, got {_rows(infinite)} with an "
                "infinite value; remove or correct them"
            )
    elif column.dtype == polars.Null:
        missing = polars.Series([True] * len(column))
    n_missing = int(missing.sum())
    if n_missing == frame.height:
        raise ValueError(
            f"target {target!r} must have values, got none in {_rows(frame.height)}; "
            "name another column"
        )
    if n_missing:
        notes.append(f"{_rows(n_missing)} without a target dropped")
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


def _group_numbers(column) -> np.ndarray:
    _refuse_gaps(column, "groups")
    return np.unique(np.array(column.to_list()).astype(str), return_inverse=True)[1]


def _times(column) -> np.ndarray:
    """When rows came, as numbers that only their order is taken from."""
    import polars

    _refuse_gaps(column, "time")
    if column.dtype == polars.String:
        with suppress(polars.exceptions.PolarsError):  # said below, in words
            column = column.str.to_datetime(time_unit="us")
    if column.dtype.is_temporal():
        return column.to_physical().to_numpy().astype(np.float64)
    if not column.dtype.is_numeric():
        raise ValueError(
            f"time {column.name!r} must hold numbers or dates as 2026-01-31, got "
            f"{column[0]!r}; turn it into one of them"
        )
    return column.to_numpy().astype(np.float64)


def _weights(column) -> np.ndarray:
    _refuse_gaps(column, "weights")
    if not column.dtype.is_numeric() or not (column > 0).all():
        raise ValueError(
            f"weights {column.name!r} must be positive numbers, got "
            f"{next((v for v in column if not _positive(v)), None)!r}; drop rows that "
            "should not count"
        )
    return column.to_numpy().astype(np.float64)


def _positive(value) -> bool:
    return isinstance(value, int | float) and value > 0


def _refuse_gaps(column, what: str) -> None:
    missing = int(column.null_count())
    if column.dtype.is_float():
        missing += int(column.is_nan().sum())
    if missing:
        raise ValueError(
            f"{what} {column.name!r} must have no gaps, got {_rows(missing)} without a "
            "value; fill them or remove the rows"
        )


def _note_copies(frame, notes: list[str]) -> None:
    copies = frame.height - frame.n_unique()
    if copies:
        notes.append(
            f"{_rows(copies)} ({copies / frame.height:.0%}) copy an earlier row, so a "
            "row can be learned from and judged: all scores look better than they are"
        )


def _features(frame, notes: list[str]):
    """Columns as numbers (floats) and text, without those that carry nothing."""
    import polars

    kept, empty, ids, strange, dates = [], [], [], [], []
    infinite = 0
    for column in frame.get_columns():
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
            column = column.cast(polars.String)
        else:
            strange.append(column.name)
            continue
        if column.null_count() == len(column):
            empty.append(column.name)
        elif column.dtype == polars.String and column.n_unique() == len(column):
            ids.append(column.name)
        else:
            kept.append(column)
    for names, what in (
        (empty, "dropped: no values"),
        (ids, "dropped: text that differs in every row, as names and ids do"),
        (strange, "dropped: neither numbers nor text"),
        (dates, "read as numbers: dates or times"),
    ):
        if names:
            notes.append(f"{_columns(names)} {what}")
    if infinite:
        notes.append(f"{infinite} infinite values outside the target read as missing")
    if not kept:
        raise ValueError(
            "the table must have columns to learn from beside the target, got none"
            + (f" ({'; '.join(notes)})" if notes else "")
            + "; drop fewer or add some"
        )
    return polars.DataFrame(kept)


def _kind(column, kind: str, order: Sequence[str], notes: list[str]):
    import polars

    dtype = column.dtype
    is_number = dtype.is_numeric() or dtype == polars.Boolean
    is_text = dtype in (polars.String, polars.Categorical, polars.Enum)
    if not is_number and not is_text:
        raise ValueError(
            f"target {column.name!r} must hold numbers or text, got {dtype}; turn it "
            "into numbers first"
        )
    if kind == "number":
        if is_text or order:
            raise ValueError(
                f"bins are for a target of numbers, got target {column.name!r} with "
                f"{'text' if is_text else '--order'}; leave --bins out"
            )
        return "number"
    if kind == "classes" or is_text or order:
        return "classes"
    distinct = column.n_unique()
    if distinct > MANY:
        return "number"
    whole = dtype == polars.Boolean or bool((column == column.round()).all())
    if not whole and 2 * distinct > len(column):
        return "number"
    notes.append(
        f"target read as {distinct} ordered classes; --bins N treats it as a number"
    )
    return "classes"


def _classes(column, order: Sequence[str], source: str, notes: list[str]):
    """The class of every row as text, and the classes in order with their places."""
    import polars

    dtype = column.dtype
    is_number = dtype.is_numeric() or dtype == polars.Boolean
    if is_number and not order:
        values = sorted(set(column.cast(polars.Float64).to_list()))
        words = [_name(value) for value in column.cast(polars.Float64).to_list()]
        labels = [_name(value) for value in values]
        return words, labels, [float(value) for value in values]
    if is_number:
        words = [_name(value) for value in column.cast(polars.Float64).to_list()]
    else:
        words = [str(word).strip() for word in column.to_list()]
    found = list(dict.fromkeys(words))
    if not order and dtype == polars.Enum:
        # An Enum is the one text type whose order its author wrote down.
        order = [word for word in dtype.categories.to_list() if word in found]
    if not order:
        _refuse_text(column.name, found, source)
    if len(set(order)) < len(order):
        raise ValueError(
            f"--order must name each class once, got {','.join(order)}; remove the "
            "repeated one"
        )
    lacking = [word for word in found if word not in order]
    if lacking:
        raise ValueError(
            f"--order must name every class of target {column.name!r}, got none of "
            f"{_some(lacking)}; add them to --order, or remove their rows"
        )
    unseen = [word for word in order if word not in found]
    if unseen:
        notes.append(f"no rows of class {_some(unseen)}: left out of the order")
    labels = [word for word in order if word in found]
    return words, labels, [float(k) for k in range(len(labels))]


def _refuse_text(target: str, found: list[str], source: str):
    if len(found) > MANY:
        raise ValueError(
            f"the target must be numbers or ordered classes, got {target!r} with "
            f"{len(found)} different texts ({_some(found)}); name another column"
        )
    ranked = _guessed_order(found)
    items = ",".join(f'"{item}"' if "," in item else item for item in ranked)
    call = shlex.join(["offby", "compare", source, "-t", target, "--order", items])
    raise ValueError(
        f"target {target!r} holds text ({_some(found)}), and its order is not known; "
        f"name the classes, lowest first:\n  Try:  {call}"
    )


def _guessed_order(found: list[str]) -> list[str]:
    plain = {word: word.lower().replace(" ", "-").replace("_", "-") for word in found}
    for scale in _SCALES:
        places = {word: place for place, word in enumerate(scale.split())}
        if all(name in places for name in plain.values()):
            return sorted(found, key=lambda word: places[plain[word]])
    return sorted(found)


def _merged(words, labels, positions, folds: int, least: int, notes: list[str]):
    """Classes with fewer rows than the least counted as their nearest neighbor."""
    members = {label: [label] for label in labels}
    places = dict(zip(labels, positions, strict=True))
    counts = {label: words.count(label) for label in labels}
    while len(counts) > 1 and min(counts.values()) < least:
        small = min(counts, key=counts.__getitem__)
        others = [label for label in counts if label != small]
        near = min(others, key=lambda label: abs(places[label] - places[small]))
        rows = counts.pop(small)
        notes.append(
            f"{_rows(rows)} in class {small}: "
            + (
                f"too few for {folds} folds"
                if least == folds
                else f"fewer than {least}"
            )
            + f"; counted as class {near}"
        )
        counts[near] += rows
        members[near] += members.pop(small)
    if len(counts) < 2:
        raise ValueError(
            f"at least two classes must have {least} rows or more, got {len(words)} "
            f"rows in {len(labels)} classes; use fewer --folds, a smaller --min-class, "
            "or treat a target of numbers as one with --bins N"
        )
    kept = list(counts)
    code = {word: k for k, label in enumerate(kept) for word in members[label]}
    codes = np.array([code[word] for word in words], dtype=np.int64)
    return codes, tuple(kept), tuple(places[label] for label in kept)


def _name(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _rows(n: int) -> str:
    return f"{n} row" if n == 1 else f"{n} rows"


def _columns(names: list[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {_some(names)}"


def _some(items: Sequence[str]) -> str:
    more = f", ... (+{len(items) - 8})" if len(items) > 8 else ""
    return ", ".join(items[:8]) + more
