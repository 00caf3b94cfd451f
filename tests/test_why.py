"""What is said of the data is what was studied."""

import json
from typing import Any

import numpy as np
import pytest

from benchmarks import why, why_problems, why_summary
from offby.comparison import Comparison, compare
from offby.comparison import why as _reasons
from offby.comparison.judgment import Judgment
from offby.comparison.networks import Settings
from offby.comparison.outcome import seen_here
from offby.results import Answer, Metric

SHORT = Settings(max_iter=3, hidden_layer_sizes=(8,))


def test_page_and_package_tell_what_was_measured():
    found = why_summary.summary(json.loads(why.OUT.read_text()))
    # As it is packed: pairs are lists.
    assert json.loads(why.PACKAGED.read_text()) == json.loads(json.dumps(found))
    text = why.PAGE.read_text(encoding="utf-8")
    assert why.made(text, found) == text
    assert text.count("<!-- table: ") == 8


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    batches: Any = {name: ("drawn", [name]) for name in ("first", "second", "third")}
    asked = []

    def measure(batch):
        asked.append(batch[0])
        if len(asked) == 2:
            raise KeyboardInterrupt
        return [{"name": batch[0], "rows": 1.23456789}]

    monkeypatch.setattr(why, "measure", measure)
    kept = tmp_path / "build" / "why.json"
    with pytest.raises(KeyboardInterrupt):
        why.measured(batches, kept)
    found = why.measured(batches, kept)
    assert asked == ["first", "second", "second", "third"]
    assert [row["name"] for row in found] == list(batches)
    assert all(row["source"] == "drawn" for row in found)
    assert all(row["cpu_seconds"] >= 0 for row in found)
    assert found == json.loads(json.dumps(found))


def test_what_a_family_shows_is_asked_of_the_others():
    families = np.repeat(["a", "b", "c", "d"], 10)
    x = np.tile(np.arange(10.0), 4)
    gains = np.where(families == "d", -x, x)
    assert why_summary.left_out(x, gains, families) == (3, 4)
    # Where nothing differs, nothing can be asked.
    assert why_summary.left_out(np.where(families == "d", 0, x), x, families) == (3, 3)
    told = {"rank_correlation": [0.4, 0.1, 0.6]}
    assert _reasons.tells(told | {"left_out": [3, 4]})
    assert not _reasons.tells(told | {"left_out": [2, 3]})
    assert not _reasons.tells(
        {"rank_correlation": [0.4, -0.1, 0.6], "left_out": [4, 4]}
    )


def test_what_did_not_hold_elsewhere_is_no_reason(monkeypatch):
    found = _reasons._found("number", "rows", "emd2", "crps")
    assert _reasons.tells(found)
    assert _reasons._reason("number", "rows", 1.0, "There is one", ["emd2"]).favors
    study = {"found": [found | {"left_out": [5, 9]}]}
    monkeypatch.setattr(_reasons, "_study", lambda: study)
    reason = _reasons._reason("number", "rows", 1.0, "There is one", ["emd2"])
    assert reason.favors == ""
    assert reason.sentence.startswith(
        "There is one. In our study, what this said of the gain of emd2 over ce was "
        "true in only 5 of 9 families of sets that were left out (rank correlation -"
    )


def test_a_rank_correlation_has_the_interval_of_its_sets():
    rng = np.random.default_rng(0)
    sets = np.repeat(np.arange(20), 5)
    x = rng.normal(size=100)
    assert why_summary.rank_correlation(x, np.exp(x), sets) == pytest.approx((1, 1, 1))
    _, low, high = why_summary.rank_correlation(x, rng.normal(size=100), sets)
    assert low < 0 < high
    # What differs between sets only is known from 20 of them, not from 100 problems.
    first, second = rng.normal(size=(2, 20)).repeat(5, axis=1)
    _, low, high = why_summary.rank_correlation(first, second, sets)
    _, lower, higher = why_summary.rank_correlation(first, second, np.arange(100))
    assert high - low > 1.5 * (higher - lower)


def test_a_loss_without_a_finite_log_score_gains_nothing():
    cell = {"scores": {"ce": {"log_score": 1.0}, "emd2": {"log_score": None}}}
    assert why_summary.gain(cell, "emd2", "log_score") == -np.inf
    assert why_summary.band(np.array([-np.inf, -np.inf, 1.0]))["quartiles"][1] is None


@pytest.mark.slow
def test_a_cell_of_the_study_is_measured():
    X, y = why_problems.drawn("wild", 0.4, 160, 0)
    y = why_problems.in_classes(y, 5, "uneven")
    batch = [why_problems.cell_of(X, y, "classes", 5, 60, "wild")] * 2
    (row,) = why.measure(batch)
    assert row["factors"]["rows"] == 12
    assert row["factors"]["imbalance"] > 1.1
    assert set(row["scores"]) == {"ce", *why_summary.LOSSES}
    assert 0 < row["scores"]["cce"]["rps"] < 2


def test_a_few_problems_favor_no_loss():
    band = {"problems": 10, "quartiles": [0.01, 0.02, 0.03]}
    assert _reasons._favored(band, "emd2") == "emd2"
    assert _reasons._favored(band | {"problems": 9}, "emd2") == ""
    below = band | {"quartiles": [-0.03, -0.02, -0.01]}
    assert _reasons._favored(below, "emd2") == "ce"


def found_by(kind, losses, noise=False):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = X[:, 0] + 0.3 * rng.normal(size=90)
    if kind == "classes":
        y = np.searchsorted([-0.5, 0.5, 1.5], y)
    return compare(
        X,
        y,
        kind=kind,
        losses=losses,
        bins=6,
        folds=3,
        seeds=1,
        noise=noise,
        references=False,
        settings=SHORT,
    )


def test_reasons_quote_the_study():
    found = found_by("classes", ["ce", "emd2"])
    # What tells nothing is in the parts only.
    telling = tuple(each.sentence for each in found.reasons if each.favors)
    assert telling
    assert found.why[: len(telling)] == telling
    assert Comparison.from_json(found.to_json()) == found
    by_factor = {reason.factor: reason for reason in found.reasons}
    assert list(by_factor) == ["far", "rows", "bins", "imbalance"]
    rows = by_factor["rows"]
    assert rows.value == 15
    told = _reasons._found("classes", "rows", "emd2", "rps")
    band = told["bands"][0]
    assert told["edges"][0] > 15
    low, middle, high = (100 * share for share in band["quartiles"])
    assert rows.favors == ("emd2" if low > 0 else "ce" if high < 0 else "")
    assert rows.sentence == (
        "There are 15 rows per class to learn from. This favors emd2: in "
        f"{band['gained']} of {band['problems']} similar problems of our study, the "
        "RPS was better with emd2 than with ce. The median difference was "
        f"{middle:.1f} %, the middle half of the problems had {low:.1f} to "
        f"{high:.1f} %."
    )
    rank, low, high = _reasons._found("classes", "far", "emd2", "rps")[
        "rank_correlation"
    ]
    assert low < 0 < high
    assert by_factor["far"].favors == ""
    assert by_factor["far"].sentence.endswith(
        "two or more classes off. In our study, this did not predict what emd2 gains "
        f"over ce (rank correlation {rank:+.2f}, 95 % interval {low:+.2f} to "
        f"{high:+.2f})."
    )


def test_noise_and_bins_of_a_number_are_reasons():
    found = found_by("number", ["ce", "ce+emd2"], noise=True)
    assert [reason.factor for reason in found.reasons] == [
        "far",
        "rows",
        "bins",
        "noise",
    ]
    assert all("ce+emd2" in reason.sentence for reason in found.reasons)


@pytest.mark.parametrize("losses", [["emd2", "cce"], ["ce", "emd1"]])
def test_what_was_not_studied_is_not_told(losses):
    for reason in found_by("classes", losses).reasons:
        assert "stud" not in reason.sentence
        assert reason.sentence.endswith(".")
        assert reason.favors == ""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer("rps", "ce", ("emd2",), (), ""), "and emd2 is practically equal to it"),
        (Answer("rps", "ce", (), ("emd2",), ""), "emd2 is as good is not settled"),
        (Answer("rps", "ce", (), (), ""), "best by RPS, and emd2 is worse"),
        (Answer("rps", "emd2", (), ("ce",), ""), None),
        (Answer("mae", "ce", (), (), ""), None),
    ],
)
def test_scores_that_speak_against_the_study_are_said(answer, says):
    metric = Metric(answer.metric, "RPS", True, "classes", "a use")
    judgment = Judgment((metric,), (), (), (), (), (answer,))
    said = seen_here({"emd2"}, judgment)
    assert (says in said) if says else said == ""
