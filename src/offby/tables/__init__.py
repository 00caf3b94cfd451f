"""From a file to columns to learn from and a target to learn."""

from offby.tables._classes import MANY
from offby.tables._files import FORMATS, read, scan
from offby.tables._memory import check_room
from offby.tables._options import ReadOptions
from offby.tables._prepare import Problem, prepare, split_list
from offby.tables._table import Table

__all__ = [
    "FORMATS",
    "MANY",
    "Problem",
    "ReadOptions",
    "Table",
    "check_room",
    "prepare",
    "read",
    "scan",
    "split_list",
]
