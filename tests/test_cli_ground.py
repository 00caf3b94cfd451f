"""Distances of classes: --positions, --circle, --tree and --costs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from offby.cli import main

pytest.importorskip("polars")
pytest.importorskip("rich")

QUICK = ("--losses", "ce", "--folds", "2", "--seeds", "1", "--no-noise")
SMALL = (*QUICK, "--network", "perceptron", "--models", "network")
COSTS = """;Ulm;Bonn;Kiel
Ulm;0;3;8
Bonn;3;0;5
Kiel;8;5;0
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cities, days = ("Kiel", "Bonn", "Ulm"), ("mon", "tue", "wed", "sun")
    rows = [
        f"{i % 7},{(5 * i) % 11},{6 + i % 4},{cities[i % 3]},{days[i % 4]}"
        for i in range(80)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,hour,city,day", *rows]) + "\n")
    (tmp_path / "km.csv").write_text(COSTS)
    (tmp_path / "bare.csv").write_text("0,3,8\n3,0,5\n8,5,0\n")
    (tmp_path / "skew.csv").write_text(COSTS.replace("Ulm;0;3", "Ulm;0;4"))
    (tmp_path / "word.csv").write_text(COSTS.replace(";5;", ";far;"))
    (tmp_path / "short.csv").write_text("0,3\n3,0\n")
    (tmp_path / "few.csv").write_text(",Ulm,Bonn\nUlm,0,1\nBonn,1,0\n")
    (tmp_path / "paths").write_text("south/Ulm\nnorth/Bonn\nnorth/Kiel\n")


def call(*words):
    return CliRunner().invoke(main, [*words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("words", "kind", "labels", "says"),
    [
        (["hour", "--circle", "24"], "Circle", ["6", "7", "8", "9"], "period of 24"),
        (
            ["day", "--order", "mon,tue,wed,thu,fri,sat,sun", "--circle="],
            "Circle",
            ["mon", "tue", "wed", "sun"],
            "period of 7",
        ),
        (["city", "--tree", "paths"], "Tree", ["Ulm", "Bonn", "Kiel"], "1 inner"),
        (["city", "--costs", "km.csv"], "Costs", ["Ulm", "Bonn", "Kiel"], "3 to 8"),
        (["hour", "--positions", "0,1,5,9"], "Line", ["6", "7", "8", "9"], "0 to 9"),
    ],
)
def test_the_ground_is_that_of_the_classes(words, kind, labels, says):
    from offby.cli.grounds import flag_of, ground_of
    from offby.cli.reading import prepared
    from offby.tables import scan

    options = dict(zip(words[1::2], words[2::2], strict=False))
    if "--circle=" in words:
        options = {"--order": words[2], "--circle": ""}
    none = ("groups", "time_", "weights", "min_class", "sample", "bins")
    asked = dict.fromkeys(none) | {"order": "", "drop": "", "text": "", "seed": 0}
    asked |= {flag.strip("-"): value for flag, value in options.items()}
    problem = prepared(scan("t.csv"), "t.csv", words[0], asked, folds=2)
    assert flag_of(asked) == kind.lower().replace("line", "positions")
    assert list(problem.labels) == labels
    found = ground_of(asked, problem)
    assert found is not None
    assert type(found).__name__ == kind
    assert says in repr(found) or kind == "Tree"
    if kind == "Tree":
        assert found.cost.tolist() == [[0, 4, 4], [4, 0, 2], [4, 2, 0]]
    if labels[-1] == "sun":  # The days that no row has keep their places.
        assert found.cost[0].tolist() == [0, 1, 2, 1]


def test_compare_saves_a_model_that_predicts_and_is_scored_on_the_ground():
    words = ("compare", "t.csv", "-t", "city", "--costs", "km.csv", *SMALL)
    done = call(*words, "--save", "city.offby", "-q")
    assert done.exit_code == 0, done.stderr
    found = json.loads(Path("t-city.json").read_text(encoding="utf-8"))
    assert found["data"]["ground"]["matrix"] == [[0, 3, 8], [3, 0, 5], [8, 5, 0]]
    assert found["metrics"][0]["title"] == "energy score"
    described = call("describe", "city.offby").stdout
    assert "Costs(3 classes" in described
    assert "3 classes at costs of their own: Ulm, Bonn, Kiel" in described
    head = call("predict", "city.offby", "t.csv", "-q").stdout.split("\n")[0]
    assert head == "guess,p_Ulm,p_Bonn,p_Kiel"
    refused = call("predict", "city.offby", "t.csv", "--above", "Ulm")
    assert refused.exit_code == 2
    assert "--above needs classes" in refused.stderr
    scores = json.loads(call("evaluate", "city.offby", "t.csv", "--json").stdout)
    assert {"energy", "distance", "near"} < set(scores["scores"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hour", "--circle", "24"], "4 classes on a circle of 24: 6, 7, 8, 9"),
        (["city", "--tree", "paths"], "3 classes of a tree: Ulm, Bonn, Kiel"),
        (["city", "--costs", "km.csv"], "3 classes at the distances of km.csv: Ulm"),
        (["hour", "--positions", "0,1,5,9"], "4 ordered classes 6, 7, 8, 9"),
    ],
)
def test_what_is_no_order_is_called_none(words, says):
    done = call("fit", "t.csv", "-t", *words, "--no-scores", "--max-time", "0.01")
    assert done.exit_code == 0, done.stderr
    assert f"target {words[0]}: {says}" in done.stderr
    described = " ".join(call("describe", f"t-{words[0]}.offby").stdout.split())
    again = says.replace(" of 24", "").replace("the distances of km.csv", "costs")
    assert again.split(":")[0] in described


def test_fit_takes_positions_and_scores_by_them():
    words = ("-t", "hour", "--positions", "0,1,5,9", "--no-scores", "-q")
    done = call("fit", "t.csv", *words, "--max-time", "0.1")
    assert done.exit_code == 0, done.stderr
    assert "Line(4 classes" in call("describe", "t-hour.offby").stdout
    scores = json.loads(call("evaluate", "t-hour.offby", "t.csv", "--json").stdout)
    assert {"rps", "mae", "within_1"} < set(scores["scores"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["city", "--circle", "24", "--costs", "km.csv"], "--circle and --costs both"),
        (["hour", "--circle", "24", "--bins", "4"], "--bins makes a number"),
        (["hour", "--circle", "24", "--min-class", "4"], "--min-class joins classes"),
        (["hour", "--circle", "x"], "as --circle 24, got 'x'"),
        (["hour", "--circle", "3"], "positions must span less than the period"),
        (["hour", "--circle="], "--circle needs the period of classes that are numb"),
        (["hour", "--circle", "24", "--losses", "cce"], "needs a line or a tree"),
        (["hour", "--positions", "0,1"], "a number for each of 4 classes (6, 7, 8, 9)"),
        (["hour", "--positions", "0,1,1,2"], "must increase from class to class"),
        (["hour", "--positions", "0,1,x,2"], "as 0,18,30, got 'x'"),
        (["city", "--positions", "0,1,2"], "the order of its classes must be given"),
        (["city", "--tree", "a/Ulm,b/Bonn"], "got none for 'Kiel'"),
        (["city", "--tree", "a/Ulm,b/Ulm"], "one path for each class"),
        (["city", "--tree", "a/Ulm,b/Bonn,b//Kiel"], "every part of a path must have"),
        (["city", "--costs", "gone.csv"], "got 'gone.csv', which is none"),
        (["city", "--costs", "skew.csv"], "got 3 for Bonn where Ulm is true and 4"),
        (["city", "--costs", "word.csv"], "must hold numbers, got 'far' in Kiel"),
        (["city", "--costs", "few.csv"], "got none for 'Kiel'; it names Ulm, Bonn"),
        (["city", "--costs", "short.csv"], "a row for each of 3 classes, got 2"),
        (["city", "--costs", "bare.csv"], "the order of its classes must be given"),
    ],
)
def test_what_does_not_fit_is_a_sentence_and_code_2(words, says):
    usual = [] if "--losses" in words else ["--losses", "ce"]
    result = call("compare", "t.csv", "-t", *words, *usual)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
