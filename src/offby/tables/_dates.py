"""Texts as dates, where every one of them is a date in the same usual form."""

from typing import TYPE_CHECKING

from offby.tables._options import DayOrder

if TYPE_CHECKING:
    import polars

_CLEAR = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d-%B-%Y", "%a %d %b %Y", "%a, %d %b %Y"),
    *("%Y-%m", "%b %Y", "%B %Y"),
)
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
_TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S%.f",
    "T%H:%M",
    "T%H:%M:%S%.f",
    " %I:%M %p",
)


def as_dates(values, name: str, order: DayOrder | None) -> "polars.Series | None":
    """The dates that all of the texts are, or None.

    Raises:
        ValueError: If they may be read with the day first and with the month first.
    """
    lengths = values.str.len_chars()
    if not values.str.contains(r"\d").all() or lengths.min() < 6 or lengths.max() > 32:
        return None
    # Local time is what people mean; where offsets differ, it is what differs by hour.
    values = values.str.replace(r"(\d\d:\d\d.*)(Z|[+-]\d\d:?\d\d)$", "${1}")
    clear = _first(values, _CLEAR)
    if clear is not None:
        return clear
    by_day, by_month = _first(values, _DAY_FIRST), _first(values, _MONTH_FIRST)
    if by_day is None or by_month is None or (by_day == by_month).all():
        return by_day if by_month is None else by_month
    if order is not None:
        return by_day if order == "day-first" else by_month
    unlike = values.filter(by_day != by_month)[0]
    raise ValueError(
        f"the dates of column {name!r} must say which number is the month, got "
        f"{unlike!r} and others that can be read both ways; give --dates day-first or "
        "--dates month-first"
    )


def _first(values, forms: tuple[str, ...]) -> "polars.Series | None":
    """The dates by the first form that fits all texts."""

    one = values.head(1)
    for form in forms:
        for time in _TIMES:
            text, whole, every = one, f"{form}{time}", values
            if form in ("%Y-%m", "%b %Y", "%B %Y"):
                # A month is read as its first day.
                if time:
                    continue
                whole = f"{form} %d"
                text, every = text + " 1", every + " 1"
            if _parsed(text, whole).is_null().all():
                continue
            dates = _parsed(every, whole)
            if not dates.is_null().any():
                return dates
    return None


def _parsed(values, form: str) -> "polars.Series":
    import polars

    if "%H" in form or "%I" in form:
        dates = values.str.to_datetime(form, strict=False, time_unit="us")
    else:
        dates = values.str.to_date(form, strict=False).cast(polars.Datetime("us"))
    # "Jan 2020" is not the 20th of January of the year 20.
    read = polars.when(dates.dt.year() >= 1000).then(dates)
    return polars.select(read).to_series()
