"""A target as ordered classes or as a number: which, and in which order."""

import shlex
from collections.abc import Sequence

import numpy as np

from offby.tables._orders import proposed
from offby.tables._phrases import row_count, some

MANY = 20
"""A target with more different numbers than this is a number, not classes."""


def kind_of(column, kind: str, order: Sequence[str], notes: list[str]):
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
        f"The target was read as {distinct} ordered classes; --bins N reads it as a "
        "number."
    )
    return "classes"


def classes(
    column,
    order: Sequence[str],
    source: str,
    notes: list[str],
    command: str = "compare",
):
    """The class of every row as text, and the classes in order with their places."""
    import polars

    dtype = column.dtype
    is_number = dtype.is_numeric() or dtype == polars.Boolean
    words = class_names(column)
    if is_number and not order:
        values = sorted(set(column.cast(polars.Float64).to_list()))
        labels = [_name(value) for value in values]
        return words, labels, [float(value) for value in values]
    found = list(dict.fromkeys(words))
    if not order and dtype == polars.Enum:
        # An Enum is the one text type whose order its author wrote down.
        order = [word for word in dtype.categories.to_list() if word in found]
    if not order:
        _refuse_text(column.name, found, source, command)
    if len(set(order)) < len(order):
        raise ValueError(
            f"--order must name each class once, got {','.join(order)}; remove the "
            "repeated one"
        )
    lacking = [word for word in found if word not in order]
    if lacking:
        raise ValueError(
            f"--order must name every class of target {column.name!r}, got none of "
            f"{some(lacking)}; add them to --order, or give --missing {lacking[0]!r} "
            "if it means that the value is missing"
        )
    unseen = [word for word in order if word not in found]
    if unseen:
        notes.append(f"No row is of class {some(unseen)}: left out of the order.")
    labels = [word for word in order if word in found]
    return words, labels, [float(k) for k in range(len(labels))]


def class_names(column) -> list[str]:
    """The class of every row as text: 3 for 3.0, and texts without blanks around."""
    import polars

    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        return [_name(value) for value in column.cast(polars.Float64).to_list()]
    return [str(word).strip() for word in column.to_list()]


def _advice(texts: Sequence[str]) -> str:
    """What to do about a target of so many texts."""
    with_digits = sum(any(map(str.isdigit, text)) for text in texts)
    if with_digits < len(texts) / 2:
        return "name another column"
    return (
        "if they are numbers, write all in one way, as 3400, 3,400.50 or $3,400.50; "
        "else name another column"
    )


def _refuse_text(target: str, found: list[str], source: str, command: str):
    if len(found) > MANY:
        raise ValueError(
            f"the target must be numbers or ordered classes, got {target!r} with "
            f"{len(found)} different texts ({some(found)}); {_advice(found)}"
        )
    ranked, known = proposed(found)
    items = ",".join(f'"{item}"' if "," in item else item for item in ranked)
    advice = "if this is their order, run"
    if not known:
        # Nothing to copy: an alphabetical order would be wrong without a word.
        items, advice = "LOWEST,...,HIGHEST", "give it, lowest first"
    call = shlex.join(["offby", command, source, "-t", target, "--order", items])
    raise ValueError(
        f"target {target!r} holds text ({some(found)}), and the order of its classes "
        f"must be given; {advice}:\n  {call}{_alike(found)}"
    )


def _alike(found: list[str]) -> str:
    """Words that differ in capitals only: as a rule, one class in two spellings."""
    spellings: dict[str, list[str]] = {}
    for word in found:
        spellings.setdefault(" ".join(word.casefold().split()), []).append(word)
    pairs = [" and ".join(words) for words in spellings.values() if len(words) > 1]
    if not pairs:
        return ""
    return (
        f"\nEach spelling is a class of its own here, and these differ in capitals or "
        f"blanks only: {some(pairs)}; write those that mean the same alike first."
    )


def merged(words, labels, positions, folds: int, least: int, notes: list[str]):
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
            f"Class {small} has {row_count(rows)}, "
            + (
                f"too few for {folds} folds"
                if least == folds
                else f"fewer than {least}"
            )
            + f", and was joined with class {near}."
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
