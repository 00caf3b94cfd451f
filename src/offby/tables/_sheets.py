"""Tables in spreadsheets: Excel and OpenDocument."""

from pathlib import Path

from offby.tables._options import ReadOptions
from offby.tables._table import Table, in_memory


def read(file: Path, source: str, options: ReadOptions) -> Table:
    """The table on one sheet of a spreadsheet.

    Raises:
        ValueError: If there is no such sheet.
        RuntimeError: If the package that reads spreadsheets is missing.
    """
    try:
        import fastexcel
    except ImportError as error:
        raise RuntimeError(
            'reading spreadsheets needs fastexcel; run pip install "offby[files]"'
        ) from error
    try:
        book = fastexcel.read_excel(file)
        names = book.sheet_names
        name = options.sheet or names[0]
        if name not in names:
            raise ValueError(
                f"--sheet must name a sheet of {source!r}, got {name!r}; it has "
                f"{', '.join(names)}"
            )
        frame = book.load_sheet(name).to_polars()
    except fastexcel.FastExcelError as error:
        raise ValueError(
            f"the data must be a spreadsheet that can be read, got {source!r}: "
            f"{str(error).splitlines()[0]}; check that the file is whole"
        ) from error
    notes = []
    if len(names) > 1 and options.sheet is None:
        others = ", ".join(names[1:])
        notes.append(f"Sheet {name} was read; --sheet reads another one ({others}).")
    return in_memory(frame, source, options, notes)
