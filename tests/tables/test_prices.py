"""Prices, shares and measures: numbers with signs around them, and what is none."""

import io
from dataclasses import asdict

import numpy as np
import pytest

from offby import tables
from offby.tables._new_rows import Column

pl = pytest.importorskip("polars")

VALUES = [8287.7, 990.0, 12345.5, 1234.25, 45.0, 670.5] * 10


def dollars(x: float) -> str:
    return f"${x:,.2f}"


def euros(x: float) -> str:
    swapped = f"{x:,.2f}".translate(str.maketrans(",.", ".,"))
    return f"{swapped} €"


def lakhs(x: float) -> str:
    """The digits before the last three in pairs, as in India."""
    whole, decimals = f"{x * 100:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return f"₹{','.join([*pairs, tail])}.{decimals}"


def loss(x: float) -> float:
    """Some amounts are negative."""
    return -x if x > 1000 else x


FORMS = {
    "dollars": (dollars, VALUES),
    "euros": (euros, VALUES),
    "euro in front": (lambda x: f"€ {euros(x)[:-2]}", VALUES),
    "no-break spaces": (
        lambda x: euros(x).replace(".", "\u00a0").replace(" ", "\u00a0"),
        VALUES,
    ),
    "francs": (lambda x: f"CHF {x:,.2f}".replace(",", "'"), VALUES),
    "US dollars": (lambda x: f"US{dollars(x)}", VALUES),
    "reals": (lambda x: f"R$ {euros(x)[:-2]}", VALUES),
    "won": (lambda x: f"₩{x:,.0f}", [float(round(x)) for x in VALUES]),
    "lakhs": (lakhs, [100 * x for x in VALUES]),
    "no decimals": (lambda x: f"{x:,.0f}.-", [float(round(x)) for x in VALUES]),
    "minus in front": (
        lambda x: f"-{dollars(x)}" if loss(x) < 0 else dollars(x),
        [loss(x) for x in VALUES],
    ),
    "minus inside": (lambda x: f"${loss(x):,.2f}", [loss(x) for x in VALUES]),
    "minus behind": (
        lambda x: f"{x:,.2f}-" if loss(x) < 0 else f"{x:,.2f}",
        [loss(x) for x in VALUES],
    ),
    "brackets": (
        lambda x: f"({dollars(x)})" if loss(x) < 0 else dollars(x),
        [loss(x) for x in VALUES],
    ),
    "percent": (lambda x: f"{x:.2f} %", VALUES),
    "percent with comma": (lambda x: f"{x:.2f} %".replace(".", ","), VALUES),
    "kilograms": (lambda x: f"{x:.2f} kg", VALUES),
    "kilograms, no blank": (lambda x: f"{x:.2f}kg", VALUES),
    "two words": (lambda x: f"{x:,.2f} sq ft", VALUES),
}


def table(texts: list[str]) -> tables.Table:
    """A file with the texts, beside numbers with decimal points."""
    others = np.linspace(0.5, 9.5, len(texts)).round(3).tolist()
    frame = pl.DataFrame({"size": others, "price": texts, "y": others[::-1]})
    file = io.BytesIO()
    frame.write_csv(file)
    return tables.in_memory(pl.read_csv(file.getvalue(), infer_schema=False))


@pytest.mark.parametrize("form", FORMS)
def test_numbers_with_signs_are_numbers(form):
    write, values = FORMS[form]
    texts = [write(x) for x in VALUES]
    as_target = tables.prepare(table(texts), target="price", kind="number")
    np.testing.assert_allclose(as_target.y, values)
    as_column = tables.prepare(table(texts), target="y")
    np.testing.assert_allclose(as_column.X["price"].to_numpy(), values)
    (said,) = (note for note in as_column.notes if "written as" in note)
    assert f"read as {values[0]:.15g}" in said


OTHER_TEXTS = (
    ["3-2", "1-0", "2-2"],
    ["1.2.3", "1.10.0", "2.0.1"],
    ["12 kg", "14 lb", "9 kg"],
    ["1,2,4", "2,3", "1"],
    ["A12", "A13", "A14"],
    ["--5", "-$-5", "+$-7"],
    ["10:30", "11:15", "9:00"],
)


@pytest.mark.parametrize("words", OTHER_TEXTS, ids=str)
def test_other_texts_stay_texts(words):
    found = tables.prepare(table(words * 20), target="y")
    assert found.X["price"].dtype == pl.String
    assert not any("written as" in note for note in found.notes)


def test_new_prices_are_read_as_those_of_training():
    learned = tables.prepare(table([euros(x) for x in VALUES]), target="y")
    marks = {column.name: column.decimal for column in learned.columns}
    assert marks == {"size": "", "price": ","}
    again = tuple(Column(**asdict(column)) for column in learned.columns)
    # By themselves they would be 1.234 and 9.9.
    new = tables.new_rows(table(["1.234 €", "9.900 €"]), again)
    assert new.X["price"].to_list() == [1234, 9900]
    dollar = tables.new_rows(table(["3,380.5", "9,900.0"]), again)
    assert dollar.X["price"].to_list() == [3380.5, 9900]


def test_a_target_of_other_numbers_is_told_how_to_write_them():
    texts = [
        f"${x / 1000:.3f}K" if k % 2 else f"{x} CR"
        for k, x in enumerate(np.arange(1000, 1060))
    ]
    with pytest.raises(ValueError, match=r"write all in one way, as 3400") as refused:
        tables.prepare(table(texts), target="price")
    assert "name another column" in str(refused.value)
    names = [f"name {'x' * k}" for k in range(40)]
    with pytest.raises(ValueError, match=r"name another column$") as refused:
        tables.prepare(table(names), target="price")
    assert "write all" not in str(refused.value)
