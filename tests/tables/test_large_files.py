"""A file of text that is not read at once gives the table that it gives at once."""

import pytest

from offby import tables
from offby.tables import _text_files

pytest.importorskip("polars")

FILES = {
    "plain": "size,kind,price\n" + "1.5,a,3\n2.5,b,4\n" * 40,
    "semicolons": "size;kind;price\n" + "1,5;a;3\n2,5;b;4\n" * 40,
    "the same name twice": "size,size,price\n" + "1,2,3\n" * 40,
    "lines above the header": "sep=;\nsize;kind\n" + "1;a\n" * 40,
    "Western letters": "größe,kind\n" + "1,ä\n2,ö\n" * 40,
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_read_like_a_small_one(tmp_path, monkeypatch, name):
    encoding = "cp1252" if name == "Western letters" else "utf-8"
    file = tmp_path / "table.csv"
    file.write_text(FILES[name], encoding=encoding)
    at_once = tables.read(file)
    monkeypatch.setattr(_text_files, "_WHOLE", 100)
    assert tables.read(file).equals(at_once)
