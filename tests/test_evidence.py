"""Every measurement in docs/ has a maker that is named, and one run makes them all."""

import importlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture
def evidence(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("evidence")


def test_every_measurement_has_one_maker(evidence):
    kept = [
        path.name
        for path in DOCS.iterdir()
        if path.suffix in (".json", ".parquet", ".npz")
    ]
    named = [name for part in evidence.PARTS for name in part.makes]
    assert sorted(named) == sorted(kept)


def test_every_maker_and_page_is_there(evidence):
    for part in evidence.PARTS:
        for command in (*part.commands, *part.tables):
            first, *rest = command.split()
            path = f"{rest[0].replace('.', '/')}.py" if first == "-m" else first
            assert (ROOT / path).is_file(), command
        for page in part.pages:
            assert (DOCS / page).is_file(), page
        assert part.commands
        # Seconds that a part claims to keep are there.
        if part.seconds and evidence.is_there(part):
            assert evidence.cpu_seconds(part) > 0, part.name


def test_the_page_names_them_all(evidence):
    page = evidence.PAGE.read_text(encoding="utf-8")
    assert evidence.made(page) == page


def test_the_list_has_every_part_and_what_it_takes(evidence, capsys):
    assert evidence.main(["--list"]) == 0
    text = capsys.readouterr().out
    for part in evidence.PARTS:
        assert f"{part.name} " in text
        for name in part.makes:
            assert name in text
    assert "CPU hours" in text


@pytest.mark.parametrize(
    "words", [[], ["folder", "nothing"], ["folder", "--again"]], ids=str
)
def test_what_cannot_be_run_is_refused(evidence, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        evidence.main(words)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.fixture
def small(evidence, monkeypatch, tmp_path):
    """Parts in a folder of their own: some run, one fails, one lacks a package."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "write.py").write_text(
        "import pathlib, sys\n"
        "with open('docs/runs.txt', 'a') as file: file.write(sys.argv[1] + ' ')\n"
        "pathlib.Path('docs', sys.argv[1]).write_text('{}')\n"
        "sys.exit(len(sys.argv) > 2)\n"
    )
    made = [
        evidence.Part("once", ("once.json",), ("write.py once.json",), resumes=False),
        evidence.Part("goes on", ("on.json",), ("write.py on.json",)),
        evidence.Part("fails", ("bad.json",), ("write.py bad.json DATA",)),
        evidence.Part("lacks", ("no.json",), ("write.py no.json",), needs=("no_such",)),
        evidence.Part("old", ("old.json",), ("write.py old.json",), by_hand="is old"),
    ]
    monkeypatch.setattr(evidence, "PARTS", made)
    for name, value in (("ROOT", tmp_path), ("DOCS", docs), ("BUILD", tmp_path / "b")):
        monkeypatch.setattr(evidence, name, value)
    monkeypatch.setattr(evidence, "TAKEN", tmp_path / "b" / "taken.json")
    return evidence


def test_a_run_goes_on_where_it_was(small):
    runs = small.DOCS / "runs.txt"
    said = ["fails failed", "lacks needs no_such, and was left out"]
    assert small.run_all("data", [], again=False) == said
    assert runs.read_text() == "once.json on.json bad.json "
    assert small.run_all("data", ["once", "goes on"], again=False) == []
    # What can go on by itself is asked whether it is done; the other is there.
    assert runs.read_text() == "once.json on.json bad.json on.json "
    assert small.run_all("data", ["once"], again=True) == []
    assert runs.read_text().endswith("on.json once.json ")
    assert (small.BUILD / "before-once.json").exists()
    taken = json.loads(small.TAKEN.read_text())
    assert set(taken) == {"once", "goes on", "fails"}
    assert all(seconds > 0 for seconds in taken.values())
    assert "in runs here" in small.listed()
    assert "by hand: is old" in small.listed()


def test_a_missed_goal_of_intervals_is_said(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    held = importlib.import_module("boosted_coverage").Held
    near = {f"set {n}": 0.02 for n in range(9)}
    assert str(held(near | {"far": -0.5})) == "9 of 10"
    told = str(held(near | {"far": -0.5, "farther": 0.61}))
    assert told == "9 of 11, **missed by 1** (up to +61.0 on farther)"
    assert held(near | {"far": -0.5, "farther": 0.61}).short == 1


# The problems of the atlas


def test_only_numbers_near_an_edge_are_taken_for_the_next_bin(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    problems = importlib.import_module("atlas_problems")
    rng = np.random.default_rng(0)
    edges = np.array([0.0, 1.0, 3.0, 4.0])
    y = rng.uniform(0, 4, 200_000)
    moved = problems.crossed(y, edges, 0.5, rng.random(len(y)))
    changed = np.searchsorted(edges, moved) != np.searchsorted(edges, y)
    assert np.array_equal(changed, moved != y)
    off = np.abs(y[:, None] - edges[1:-1]).min(1)
    # Half a width of the narrower bin, which is 1 on both sides of either edge.
    assert changed[off > 0.5].sum() == 0
    for low, high in ((0.0, 0.05), (0.2, 0.3), (0.4, 0.5)):
        near = (low <= off) & (off < high)
        expected = (1 - (low + high)) / 2
        assert changed[near].mean() == pytest.approx(expected, abs=0.02)
    # Nobody passes a second edge, or an outer one.
    assert (
        np.abs(np.searchsorted(edges, moved) - np.searchsorted(edges, y)) <= 1
    ).all()
    assert ((moved > 0) & (moved < 4)).all()


def test_a_problem_with_noise_at_the_edges_keeps_its_grid_and_its_test(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    problems = importlib.import_module("atlas_problems")
    rng = np.random.default_rng(0)
    X, y = pl.DataFrame({"a": rng.normal(size=400)}), rng.normal(size=400)
    clean, noisy = (
        problems.Question("drawn", "numbers", 150, 5, 0.0, edge_noise)
        for edge_noise in (0.0, 0.5)
    )
    (before,), (after,) = (
        question.draws(X, y, "perceptron", 1) for question in (clean, noisy)
    )
    assert np.array_equal(before.bins.edges, after.bins.edges)
    assert np.array_equal(before.test.y, after.test.y)
    index = [fold.labels(fold.train).index.numpy() for fold in (before, after)]
    moved = np.abs(index[0] - index[1])
    assert moved.max() == 1
    assert 0.1 < moved.mean() < 0.35


def test_the_design_of_the_atlas_is_the_same_for_all_losses(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    problems = importlib.import_module("atlas_problems")
    sizes = {"small": 400, "middle": 2_300, "large": 5_000}
    monkeypatch.setattr(problems, "sets_of", lambda kind: list(sizes))
    monkeypatch.setattr(
        problems, "table", lambda kind, name, data: (None, np.arange(sizes[name]) % 7)
    )
    asked = list(problems.asked(problems.DESIGN, "data"))
    assert len(set((question, model) for question, model, _ in asked)) == len(asked)
    rows = {(question.set, question.rows) for question, *_ in asked}
    assert rows == {
        ("small", 150),
        *(("middle", n) for n in (150, 500, 2_000)),
        *(("large", n) for n in (150, 500, 2_000, 4_000)),
    }
    for question, *_ in asked:
        assert (question.edge_noise == 0) or question.kind == "numbers"
        assert (question.bins == 7) or question.kind == "numbers"


def test_a_larger_atlas_is_reckoned_from_the_seconds_of_this_one(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    cost = importlib.import_module("atlas_cost")
    keys = {"bins": 10, "noise": 0.0, "edge_noise": 0.0, "model": "ensemble"}
    rows = pl.DataFrame(
        [
            {"set": "a", "kind": "numbers", "rows": 150, "cpu_seconds": 10.0} | keys,
            {"set": "a", "kind": "numbers", "rows": 4_000, "cpu_seconds": 50.0} | keys,
            {"set": "b", "kind": "numbers", "rows": 150, "cpu_seconds": 12.0} | keys,
        ]
    ).with_columns(draws=2)
    assert cost.longest(rows) == 100
    assert cost.per_set(rows)["seconds"].to_list() == [120, 24]
    cpu, wall = cost.hours(72.0)
    assert cpu == pytest.approx(1_000 * 72 * 1.25 / 3600)
    assert wall == pytest.approx(cpu / 90)
    lines = cost.cost(rows)
    assert lines[2].startswith("| as here | 2 sets | 72 | 25 | 0.28 |")
    assert any("4,000 rows and more" in line and "| 120 |" in line for line in lines)


def test_the_words_of_a_command_take_the_place_of_the_design(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    atlas = importlib.import_module("atlas")
    problems = importlib.import_module("atlas_problems")
    monkeypatch.setattr(problems, "sets_of", lambda kind: ["a", "b"])
    monkeypatch.setattr(
        problems, "table", lambda kind, name, data: (None, np.arange(5_000) % 7)
    )
    words = atlas.asked_for(
        ["data", "--rows", "all", "--models", "boosting", "--sets", "b", "--draws", "1"]
    )
    (classes, numbers) = atlas.tasks(words, set())
    assert (classes.question.rows, numbers.question.rows) == (4_000, 4_000)
    assert {task.model for task in (classes, numbers)} == {"boosting"}
    assert {task.question.set for task in (classes, numbers)} == {"b"}
    assert "emd1" not in classes.losses
    done = {(*vars(classes.question).values(), "boosting", "ce")}
    (again, _) = atlas.tasks(words, done)
    assert again.losses == tuple(loss for loss in classes.losses if loss != "ce")
