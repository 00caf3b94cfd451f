"""The answer at a glance, and what the terminal prints below it."""

from dataclasses import replace

import pytest

from offby.cli import answers
from offby.results import Answer, Difference, Method, said
from offby.results.card import card
from tests.report_data import comparison


def difference(method, verdict, worse_by=0.1, **other):
    return Difference(
        metric="rps",
        method=method,
        other="emd2",
        mean=0.04,
        low=0.02,
        high=0.06,
        relative=worse_by,
        wins=1,
        pairs=10,
        verdict=verdict,
        worse_by=worse_by,
        worse_by_low=worse_by - 0.05,
        worse_by_high=worse_by + 0.05,
        **other,
    )


def answered(*differences, references=(), ties=(), command="make it", methods=()):
    """A comparison in which emd2 is the best loss of three."""
    made = comparison()
    kept = [m for m in made.methods if m.key in ("ce", "emd1", "emd2")]
    return replace(
        made,
        methods=(*kept, *methods),
        scores=tuple(s for s in made.scores if s.method in ("ce", "emd1", "emd2")),
        differences=differences,
        references=references,
        verdicts=(Answer("rps", "emd2", ties, (), "in full"),),
        run=replace(made.run, command=command),
    )


def test_the_card_says_what_to_use_what_it_is_worth_and_how_sure_that_is():
    found = card(answered(difference("ce", "worse"), difference("emd1", "worse")))
    assert found is not None
    assert found.use.startswith("Use emd2: it scores best for")
    assert found.worth == "ce, the usual loss, is worse by 10 % (5.0 to 15 %)."
    assert found.sure.startswith("All differences between the losses are settled")
    assert found.how == "model = comparison.fit_best(X, y)"
    assert len(found.sentences) <= 4


def test_what_is_practically_equal_is_no_gain():
    found = card(answered(difference("ce", "practically equal"), ties=("ce",)))
    assert found is not None
    assert "ce is practically equal to it." in found.use
    assert found.worth == ""


def test_what_is_not_settled_is_named_with_what_would_settle_it():
    found = card(answered(difference("emd1", "not settled", rows_needed=9000)))
    assert found is not None
    assert "Whether emd1 is as good is not settled yet" in found.sure
    assert "about 9,000 rows would" in found.sure


def test_boosting_and_the_best_model_that_is_better_are_named():
    trees = Method("boosting", "gradient boosting", True)
    both, one = (
        Method(key, f"mean under {key}", True, model="both") for key in ("a", "b")
    )
    beside = (
        difference("boosting", "worse", 0.2),
        difference("a", "better", -0.1),
        difference("b", "better", -0.2),
    )
    found = card(answered(references=beside, methods=(trees, both, one)))
    assert found is not None
    assert "Gradient boosting is worse by 20 %" in found.worth
    assert "The mean under b is better by 20 %" in found.worth
    assert "under a" not in found.worth


def test_an_infinite_score_is_named_as_such():
    found = card(answered(difference("ce", "worse", infinite_rows=3)))
    assert found is not None
    assert "its score is infinite in 3 held-out rows" in found.worth


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (
            "offby compare a.csv -t y",
            "offby compare a.csv -t y --save model.offby",
        ),
        ("offby compare a.csv -t y --save m.offby", ""),
        ("offby compare 'a", "model = comparison.fit_best(X, y)"),
    ],
)
def test_the_last_line_trains_the_winner(command, how):
    found = card(answered(command=command))
    assert found is not None
    assert found.how == how


def test_there_is_no_card_where_no_loss_is_best():
    nobody = replace(answered(), verdicts=(Answer("rps", "", (), (), "none"),))
    assert card(nobody) is None
    answers.print_comparison(nobody)


def test_the_terminal_begins_with_the_card_and_ranks_losses_and_models(capsys):
    trees = Method("boosted ce", "boosted trees", True, model="boosting", loss="ce")
    beside = (difference("boosted ce", "worse", 0.3),)
    made = answered(difference("ce", "worse"), references=beside, methods=(trees,))
    score = replace(made.scores[0], method="boosted ce", value=0.1)
    answers.print_comparison(replace(made, scores=(*made.scores, score)))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].startswith("Use emd2:")
    head = next(i for i, line in enumerate(lines) if line.startswith("loss"))
    assert lines[head + 1].split()[:3] == ["ce", "boosted", "trees"]
    assert "worse by 30 % (25 to 35 %)" in lines[head + 1]
    best = next(line for line in lines[head + 1 :] if "best loss" in line)
    assert best.split()[0] == made.best()


@pytest.mark.parametrize(
    ("needed", "says"),
    [
        ([(9, None), (4, 100)], "About 9 seeds would settle this."),
        ([(None, 800), (None, 300)], "More seeds will not settle this; about 800 rows"),
        ([(None, 800), (None, None)], "More seeds will not settle this; many more"),
        ([(9, None), (None, 800)], "9 seeds would settle ce; for emd1, about 800 rows"),
        ([(9, None), (None, None)], "settle ce; for emd1, many more rows might."),
    ],
)
def test_what_would_settle_it_is_said_of_each_loss(needed, says):
    """The command that settles a part of it is printed below this sentence."""
    open_ = [
        difference(name, "not settled", seeds_needed=seeds, rows_needed=rows)
        for name, (seeds, rows) in zip(("ce", "emd1"), needed, strict=True)
    ]
    assert says in said.what_settles(open_)
