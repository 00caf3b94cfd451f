"""Tables in packed files: gzip, bzip2, xz, and zip archives of one table."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

from offby.tables._memory import check_unpacked

_OPENED = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
PACKED = (*_OPENED, "zip")


def unpacked(file: Path, name: str, packing: str) -> tuple[bytes, str]:
    """What a packed file holds, and the format of that by its name.

    Args:
        file: The packed file.
        name: Its name without the ending of the packing, as "a.csv".
        packing: Its ending, one of `PACKED`.

    Raises:
        ValueError: If it is larger than memory, no file of this kind, or a zip archive
            of several tables.
    """
    try:
        if packing == "zip":
            return _from_archive(file)
        check_unpacked(file, _size_of(file) if packing == "gz" else None)
        return _OPENED[packing](file.read_bytes()), _ending(name)
    except (zipfile.BadZipFile, lzma.LZMAError) as error:
        raise ValueError(
            f"a packed file must be what its name says, got {str(file)!r}: {error}; "
            "check that the file is whole"
        ) from error


def _size_of(file: Path) -> int:
    """Of gzip, the last four bytes tell the size, less multiples of 4 GiB."""
    with file.open("rb") as opened:
        opened.seek(-min(4, file.stat().st_size), 2)
        return int.from_bytes(opened.read(), "little")


def _from_archive(file: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(file) as archive:
        # macOS adds a folder of its own, and a dot before the names in it.
        inside = [
            info
            for info in archive.infolist()
            if not info.is_dir() and not Path(info.filename).name.startswith(".")
        ]
        if len(inside) != 1:
            names = ", ".join(info.filename for info in inside[:5]) or "nothing"
            more = ", ..." if len(inside) > 5 else ""
            raise ValueError(
                f"a zip archive must hold one table, got {names}{more} in "
                f"{str(file)!r}; unpack it, and name one of its files"
            )
        (info,) = inside
        if info.flag_bits & 1:
            raise ValueError(
                f"a zip archive must be open to read, got {str(file)!r}, which asks "
                "for a password; unpack it first"
            )
        check_unpacked(file, info.file_size)
        return archive.read(info), _ending(info.filename)


def _ending(name: str) -> str:
    return Path(name).suffix.lower().lstrip(".")
