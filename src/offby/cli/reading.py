"""From the options of a command to the table that it reads."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offby.tables import Problem, ReadOptions, Table


def reading(asked: dict[str, Any]) -> "ReadOptions":
    """How the file is written, as far as the user says it."""
    from offby.tables import ReadOptions

    return ReadOptions(
        missing=tuple(asked["missing"]),
        separator=asked["separator"],
        decimal=asked["decimal"],
        encoding=asked["encoding"],
        sheet=asked["sheet"],
        table=asked["table_name"],
        dates=asked["dates"],
    )


def prepared(
    scanned: "Table",
    data: str,
    target: str,
    asked: dict[str, Any],
    *,
    folds: int,
    command: str = "compare",
) -> "Problem":
    """What there is to learn from a table, as the options ask."""
    from offby import tables

    return tables.prepare(
        scanned,
        target,
        order=tables.split_list(asked["order"]),
        drop=tables.split_list(asked["drop"]),
        groups=asked["groups"],
        time=asked["time_"],
        weights=asked["weights"],
        min_class=asked["min_class"],
        sample=asked["sample"],
        seed=asked["seed"],
        text=tables.split_list(asked["text"]),
        kind="auto" if asked["bins"] is None else "number",
        folds=folds,
        source=data,
        command=command,
    )
