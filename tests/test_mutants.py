"""The changes that tests must notice, and the page of what was found."""

import ast
import json

import pytest

from tests import mutants


def test_every_place_is_there_and_has_tests():
    for place in mutants.TESTS:
        assert (mutants.SOURCE / place).exists(), place
        assert mutants.test_files(place)
    assert mutants.room_of("tabular/copies.py") == "tabular/copies.py"
    assert mutants.room_of("tabular/trainer.py") == "tabular"
    with pytest.raises(SystemExit, match="TESTS names no tests of nothing"):
        mutants.room_of("nothing")


def test_each_change_is_one_and_is_python():
    text = "def f(a, b):\n    return (a < b and not a) or a + 2\n"
    found = mutants.mutations(text)
    changes = {change for _, change, _ in found}
    assert {"a < b -> (a <= b)", "not a -> (a)", "a + 2 -> (a - 2)"} <= changes
    assert {line for line, _, _ in found} == {2}
    for _, _, mutated in found:
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(text))


def test_a_draw_of_a_folder_has_its_size_and_no_file_with_tests_of_its_own():
    drawn = dict(mutants.sample_of_all("losses", 9, seed=0))
    assert sum(map(len, drawn.values())) == 9
    assert all(mutants._room_of_file(file) == "losses" for file in drawn)
    every = dict(mutants.sample_of_all("losses", 10**6, seed=0))
    assert all(set(found) <= set(every[file]) for file, found in drawn.items())
    assert mutants.SOURCE / "losses/_solvers.py" not in every
    ((file, found),) = mutants.sample_of_all("losses/_solvers.py", 3, seed=0)
    assert (file.name, len(found)) == ("_solvers.py", 3)


def test_each_line_knows_its_tests_those_of_hypothesis_and_of_fixtures(
    tmp_path, monkeypatch
):
    (tmp_path / "made.py").write_text(
        "def one(x):\n    return x\n\ndef two(x):\n    return x + x\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_made.py").write_text(
        """
import pytest
from hypothesis import given, strategies as st
import made

@pytest.fixture(scope="module")
def four():
    return made.two(2)

@given(st.integers())
def test_law(x):
    assert made.one(x) == x

def test_first(four):
    assert four == 4

@pytest.mark.parametrize("x", [1, 2])
def test_second(four, x):
    assert made.one(x) == x
"""
    )
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setattr(mutants, "SOURCE", tmp_path)
    monkeypatch.setitem(mutants.TESTS, "made.py", "made")
    found = mutants.reach("made.py", tmp_path)
    file, tests = tmp_path / "made.py", "tests/test_made.py"
    assert set(found.tests(file, 2)) == {f"{tests}::test_law", f"{tests}::test_second"}
    assert found.tests(file, 5) == [tests]
    assert set(found.tests(file, 1)) == set(found.seconds)
    assert found.usual(tests) == pytest.approx(sum(found.seconds.values()))


def test_survivors_are_found_again():
    ((file, found),) = mutants.sample("decode/_rows.py", 3, seed=0)
    named = [mutants._named(file, line, change) for line, change, _ in found]
    kept = {"decode/_rows.py": {"survived": dict.fromkeys(named[:2], "")}}
    ((_, again),) = mutants.survivors("decode/_rows.py", kept)
    assert {each[:2] for each in again} == {each[:2] for each in found[:2]}


def test_what_was_found_before_is_replaced_and_reasons_stay(tmp_path):
    file, draw = tmp_path / "kept.json", {"each": 2, "seed": 1}
    mutants.keep(file, [("a", True, "x"), ("a", False, "y"), ("b", True, "z")], draw)
    kept = json.loads(file.read_text())
    kept["a"]["survived"]["x"] = "a limit that no input reaches"
    file.write_text(json.dumps(kept))
    mutants.keep(file, [("a", True, "x"), ("a", True, "w")], draw)
    kept = json.loads(file.read_text())
    survived = {"x": "a limit that no input reaches", "w": ""}
    assert kept["a"] == {"each": 2, "seed": 1, "killed": 0, "survived": survived}
    assert kept["b"]["survived"] == {"z": ""}
    again = mutants.tried_again(
        json.loads(file.read_text()), [("a", False, "w"), ("b", True, "z")]
    )
    assert again["a"]["killed"] == 1
    assert list(again["a"]["survived"]) == ["x"]
    assert again["b"] == kept["b"]
    shown = mutants.table(kept)
    assert "| `a` | 2 | 0 | 1 | 1 | 0% |" in shown
    assert "| all | 3 | 0 | 1 | 2 | 0% |" in shown
    assert "- `x`: a limit that no input reaches." in shown
    assert "- `z`: no test notices." in shown


def test_the_page_shows_what_was_found():
    page = mutants.KEPT.with_suffix(".md").read_text(encoding="utf-8")
    kept = json.loads(mutants.KEPT.read_text(encoding="utf-8"))
    assert mutants.table(kept) in page
    for place in kept:
        assert mutants.room_of(place)
