"""From the options of a command to the table that it reads."""

from typing import TYPE_CHECKING, Any

from offby.cli.grounds import flag_of, order_of

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

    order, on_ground = tables.split_list(asked["order"]), flag_of(asked) is not None
    if on_ground:
        order = order_of(asked, tables.target_names(scanned, target))
    return tables.prepare(
        scanned,
        target,
        order=order,
        drop=tables.split_list(asked["drop"]),
        groups=asked["groups"],
        time=asked["time_"],
        weights=asked["weights"],
        # Which class is near is the ground's to say, so none joins another.
        min_class=1 if on_ground else asked["min_class"],
        sample=asked["sample"],
        seed=asked["seed"],
        text=tables.split_list(asked["text"]),
        kind=_kind(asked),
        folds=folds,
        source=data,
        command=command,
    )


def _kind(asked: dict[str, Any]) -> Any:
    """Numbers on a ground are classes, however many."""
    if asked["bins"] is not None:
        return "number"
    return "auto" if flag_of(asked) is None else "classes"
