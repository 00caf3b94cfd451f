"""Tables of SPSS, Stata and SAS, whose value labels are ordered classes."""

from pathlib import Path
from typing import Any

from offby.tables._options import ReadOptions
from offby.tables._table import Table, in_memory

_READERS = {
    "sav": "read_sav",
    "zsav": "read_sav",
    "por": "read_por",
    "dta": "read_dta",
    "sas7bdat": "read_sas7bdat",
    "xpt": "read_xport",
}


def read(file: Path, suffix: str, source: str, options: ReadOptions) -> Table:
    """The table, with value labels for codes: a labeled column has an order.

    Raises:
        ValueError: If the file cannot be read.
        RuntimeError: If pyreadstat is missing.
    """
    import polars

    try:
        import pyreadstat
    except ImportError as error:
        raise RuntimeError(
            "reading files of SPSS, Stata or SAS needs pyreadstat; run pip install "
            '"offby[files]"'
        ) from error
    try:
        reader = getattr(pyreadstat, _READERS[suffix])
        frame, meta = reader(str(file), output_format="polars")
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise ValueError(
            f"the data must be a valid .{suffix} file, got {source!r}: {error}; check "
            "that the file is whole"
        ) from error
    labeled = []
    for name, labels in meta.variable_value_labels.items():
        column = _labeled(frame[name], labels)
        if column is not None:
            frame = frame.with_columns(column)
        if column is not None and column.dtype == polars.Enum:
            labeled.append(name)
    notes = []
    if labeled:
        shown = ", ".join(labeled[:8]) + (", ..." if len(labeled) > 8 else "")
        notes.append(f"Value labels were read as ordered classes in {shown}.")
    return in_memory(polars.DataFrame(frame), source, options, notes)


def _labeled(column, labels: dict[Any, str]):
    """The codes as labels in the order of the codes; None if some have no label.

    Labels that are numbers name no classes: they are what the codes stand for.
    """
    import polars

    codes = sorted(labels)
    names = [str(labels[code]) for code in codes]
    known = column.drop_nulls().unique().to_list()
    # A label of a special value only ("99: refused") names no classes.
    if len(set(names)) < len(names) or not set(known) <= set(codes):
        return None
    text = column.replace_strict(codes, names, return_dtype=polars.String)
    numbers = text.cast(polars.Float64, strict=False)
    if numbers.null_count() == text.null_count():
        return numbers
    return text.cast(polars.Enum(names)).alias(column.name)
