"""From a file to columns to learn from and a target to learn."""

from offby.tables._classes import MANY, class_names
from offby.tables._files import FORMATS, read, scan
from offby.tables._memory import check_room
from offby.tables._new_rows import Column, NewRows, new_rows, with_dates
from offby.tables._options import ReadOptions
from offby.tables._prepare import Problem, prepare, split_list, target_names
from offby.tables._table import Table, in_memory

__all__ = [
    "FORMATS",
    "MANY",
    "Column",
    "NewRows",
    "Problem",
    "ReadOptions",
    "Table",
    "check_room",
    "class_names",
    "in_memory",
    "new_rows",
    "prepare",
    "read",
    "scan",
    "split_list",
    "target_names",
    "with_dates",
]
