"""How far apart classes are, as --positions, --circle, --tree and --costs say it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from offby.grounds import Ground
    from offby.tables import Problem

FLAGS = ("positions", "circle", "tree", "costs")
ALL_PATHS = "classes"
"""What stands for the names of the classes, where these are paths themselves."""

_OPTIONS = (
    click.option(
        "--positions",
        metavar="NUMBERS",
        help="Where the classes lie on a line, in their order, as 0,18,30.",
    ),
    click.option(
        "--circle",
        is_flag=False,
        flag_value="",
        metavar="[PERIOD]",
        help="The classes lie on a circle: --circle 24 for hours; without a period one "
        "step apart, as days of the week.",
    ),
    click.option(
        "--tree",
        metavar="PATHS",
        help="The classes are the leaves of a tree: their paths, as "
        'animal/dog,animal/cat,plant/oak, a file with a path in each line, or "classes"'
        " if the classes are paths themselves.",
    ),
    click.option(
        "--costs",
        metavar="FILE",
        help="A csv with the distance of every two classes: a row and a column for "
        "each, with their names or in their order.",
    ),
)


def ground_options(command: Any) -> Any:
    """The four options, of which one may be given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def flag_of(asked: dict[str, Any]) -> str | None:
    """The option that was given, by its name.

    Raises:
        ValueError: If several were, or others that they exclude.
    """
    given = [flag for flag in FLAGS if asked.get(flag) is not None]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(
            f"--{given[0]} and --{given[1]} both say how far apart the classes are; "
            "give one of them"
        )
    flag = given[0]
    if asked["bins"] is not None:
        raise ValueError(
            f"--{flag} is for classes, and --bins makes a number of the target; give "
            "one of them"
        )
    if asked["min_class"] is not None:
        raise ValueError(
            f"--min-class joins classes that are next to each other, and --{flag} says "
            "how far apart all of them are; give one of them"
        )
    if flag == "circle":
        _period(asked["circle"])
    if flag == "costs" and not Path(asked["costs"]).is_file():
        raise ValueError(
            f"--costs must be a csv file, got {asked['costs']!r}, which is none; write "
            "a row and a column for each class"
        )
    return flag


def classes_in_words(asked: dict[str, Any], labels: Sequence[str]) -> str:
    """The classes, and what they lie on.

    >>> classes_in_words({"circle": "24"}, ["6", "12", "23"])
    '3 classes on a circle of 24: 6, 12, 23'
    >>> classes_in_words({}, ["low", "high"])
    '2 ordered classes low, high'
    """
    match [flag for flag in FLAGS if asked.get(flag) is not None]:
        case ["circle"]:
            on = (
                f" on a circle of {asked['circle']}"
                if asked["circle"]
                else " on a circle"
            )
        case ["tree"]:
            on = " of a tree"
        case ["costs"]:
            on = f" at the distances of {asked['costs']}"
        case _:
            return f"{len(labels)} ordered classes {', '.join(labels)}"
    return f"{len(labels)} classes{on}: {', '.join(labels)}"


def order_of(asked: dict[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """The classes in the order of the tree or the file; --order first.

    Args:
        asked: The options of the command.
        names: The classes that are in the table.

    Raises:
        ValueError: If a class of the table has no path or no costs.
    """
    from offby.tables import split_list

    flag, order = flag_of(asked), split_list(asked["order"])
    if order or flag not in ("tree", "costs"):
        return order
    if flag == "tree":
        return tuple(_paths(asked["tree"], names))
    named, matrix = _matrix(asked["costs"])
    lacking = [name for name in names if name not in named]
    if named and lacking:
        raise ValueError(
            f"--costs {asked['costs']} must have a row and a column for every class, "
            f"got none for {lacking[0]!r}; it names {', '.join(named)}"
        )
    if named:
        return named
    if len(matrix) != len(names):
        raise ValueError(
            f"--costs {asked['costs']} must have a row for each of {len(names)} "
            f"classes, got {len(matrix)}; write their names in the first line"
        )
    return ()


def ground_of(asked: dict[str, Any], problem: "Problem") -> "Ground | None":
    """The ground of the classes of a table.

    Raises:
        ValueError: If it does not fit the classes.
    """
    from offby.grounds import Costs, Line, Tree
    from offby.tables import split_list

    flag = flag_of(asked)
    if flag is None:
        return None
    labels, order = problem.labels, split_list(asked["order"])
    # Classes that no row has are left out, and keep their place all the same.
    all_of = list(order or labels)
    match flag:
        case "positions":
            found = _numbers("--positions", asked["positions"])
            if len(found) != len(all_of):
                raise ValueError(
                    f"--positions must hold a number for each of {len(all_of)} classes "
                    f"({', '.join(all_of)}), got {len(found)}"
                )
            places = dict(zip(all_of, found, strict=True))
            if sorted(set(found)) != found:
                raise ValueError(
                    f"--positions must increase from class to class "
                    f"({', '.join(all_of)}), got {asked['positions']}; the order of "
                    "the classes is that of --order"
                )
            return Line([places[label] for label in labels])
        case "circle":
            return _circle(labels, all_of, _period(asked["circle"]), bool(order))
        case "tree":
            paths = _paths(asked["tree"], labels)
            separator = "/" if any("/" in path for path in paths.values()) else None
            return Tree.from_paths(
                [paths[label] for label in labels], separator=separator
            )
        case _:
            named, matrix = _matrix(asked["costs"])
            if len(matrix) != len(named or all_of):
                raise ValueError(
                    f"--costs {asked['costs']} must have a row for each of "
                    f"{len(all_of)} classes, got {len(matrix)}"
                )
            place = {name: k for k, name in enumerate(named or all_of)}
            lacking = [label for label in labels if label not in place]
            if lacking:
                raise ValueError(
                    f"--costs {asked['costs']} must name every class, got no row for "
                    f"{lacking[0]!r}"
                )
            rows = [[matrix[place[i]][place[j]] for j in labels] for i in labels]
            _check_symmetric(rows, labels, asked["costs"])
            return Costs(rows)


def _period(text: str) -> float | None:
    """The period of --circle; None if the classes are one step apart."""
    if not text:
        return None
    try:
        period = float(text)
    except ValueError:
        period = float("nan")
    if not 0 < period < float("inf"):
        raise ValueError(
            f"--circle must be followed by its period, as --circle 24, got {text!r}; "
            "without a period it must be the last word, or be written as --circle="
        )
    return period


def _circle(
    labels: Sequence[str], all_of: Sequence[str], period: float | None, ordered: bool
) -> "Ground":
    """Numbers lie at themselves, words in their order one step apart."""
    from offby.grounds import Circle

    try:
        places = [float(label) for label in labels]
    except ValueError:
        places = [float(all_of.index(label)) for label in labels]
        ordered = True
    if ordered and period is None:
        places = [float(all_of.index(label)) for label in labels]
        period = float(len(all_of))
    if period is None:
        first = int(places[0])
        if places != [float(first + k) for k in range(len(places))] or first not in (
            0,
            1,
        ):
            raise ValueError(
                f"--circle needs the period of classes that are numbers, got "
                f"{', '.join(labels[:6])}{', ...' if len(labels) > 6 else ''}; write "
                "--circle 24 for hours"
            )
        period = float(len(places))
    return Circle(places, period)


def _paths(text: str, names: Sequence[str]) -> dict[str, str]:
    """The path of each class, in the order of the paths.

    A class is named as the last part of its path, or as the whole path.
    """
    from offby.tables import split_list

    if text == ALL_PATHS:
        return {name: name for name in sorted(names)}
    file = Path(text)
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines()
        paths = [line.strip() for line in lines if line.strip()]
    else:
        paths = list(split_list(text))
    separator = "/" if any("/" in path for path in paths) else "."
    known = set(names)
    found: dict[str, str] = {}
    for path in paths:
        name = path if path in known else path.split(separator)[-1]
        if name in found:
            raise ValueError(
                f"--tree must have one path for each class, got {found[name]!r} and "
                f"{path!r} for {name!r}; name the classes by their whole paths"
            )
        found[name] = path
    lacking = [name for name in names if name not in found]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"--tree must hold a path for every class, whose last part is its name, "
            f"got none for {lacking[0]!r}{more}; add it, as branch{separator}"
            f"{lacking[0]}, or name a file with a path in each line"
        )
    return found


def _matrix(file: str) -> tuple[tuple[str, ...], list[list[float]]]:
    """The names of the classes, if there are any, and a row of costs for each."""
    text = Path(file).read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    cells = [
        [cell.strip() for cell in row]
        for row in csv.reader(text.splitlines(), delimiter=separator)
        if any(cell.strip() for cell in row)
    ]
    if not cells:
        raise ValueError(
            f"--costs {file} is empty; write a row and a column for each class"
        )
    names: tuple[str, ...] = ()
    # A corner without a number, or a cell that is none, makes it a line of names; so
    # does a line more than there are columns of numbers.
    beside = len(cells) > 1 and any(len(row) != len(cells) for row in cells)
    if beside or not all(map(_is_number, cells[0])):
        head, cells = cells[0], cells[1:]
        if all(len(row) == len(cells) + 1 for row in cells):
            head = head[-len(cells) :]
            rows = [row[0] for row in cells]
            if rows != head:
                raise ValueError(
                    f"--costs {file} must have the classes in one order in its rows "
                    f"and its columns, got {', '.join(rows)} and {', '.join(head)}"
                )
            cells = [row[1:] for row in cells]
        names = tuple(head)
    size = len(cells)
    odd = next((k for k, row in enumerate(cells) if len(row) != size), None)
    if odd is not None or (names and len(names) != size):
        got = len(names) if odd is None else len(cells[odd])
        raise ValueError(
            f"--costs {file} must have as many columns as rows of numbers, got {size} "
            f"rows and {got} columns"
        )
    matrix = []
    for k, row in enumerate(cells):
        for cell in row:
            if not _is_number(cell):
                where = names[k] if names else f"row {k + 1}"
                raise ValueError(
                    f"--costs {file} must hold numbers, got {cell!r} in {where}"
                )
        matrix.append([float(cell) for cell in row])
    return names, matrix


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_symmetric(rows, labels: Sequence[str], file: str) -> None:
    for i, one in enumerate(labels):
        for j, other in enumerate(labels[:i]):
            if rows[i][j] != rows[j][i]:
                raise ValueError(
                    f"--costs {file} must have the same cost for both directions of a "
                    f"mistake, got {rows[i][j]:g} for {one} where {other} is true and "
                    f"{rows[j][i]:g} for the converse; compare with their mean, and "
                    "decide by the costs in Python: predict_dist(X).decide(costs)"
                )


def _numbers(flag: str, text: str) -> list[float]:
    found = []
    for word in text.split(","):
        if not _is_number(word) or not abs(float(word)) < float("inf"):
            raise ValueError(
                f"{flag} must be numbers with commas between them, as 0,18,30, got "
                f"{word.strip()!r}"
            )
        found.append(float(word))
    return found
