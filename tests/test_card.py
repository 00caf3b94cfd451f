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
    scores = [s for s in made.scores if s.method in ("ce", "emd1", "emd2")]
    return replace(
        made,
        methods=(*kept, *methods),
        scores=tuple(
            replace(s, value=0.1) if (s.method, s.metric) == ("emd2", "rps") else s
            for s in scores
        ),
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


def with_models(**scores):
    """Emd2 is the best loss on the network (0.4); the others score what is said."""
    known = {
        "boosting": Method("boosting", "gradient boosting", True),
        "mean_ce": Method("mean ce", "mean of both under CE", True, "both", "ce"),
        "boosted_cce": Method("boosted cce", "trees", True, "boosting", "cce"),
        "mine": Method("mine", "my forest", True),
    }
    methods = [known[name] for name in scores]
    made = answered(difference("ce", "worse"), methods=methods)
    base = [replace(s, value=0.5) for s in made.scores]
    base = [replace(s, value=0.4) if s.method == "emd2" else s for s in base]
    more = [
        replace(s, method=known[name].key, value=value)
        for name, value in scores.items()
        for s in base
        if s.method == "emd2" and s.seed == 0
    ]
    return replace(made, scores=(*base, *more))


def from_model(made, *differences):
    """With differences from the best model."""
    best = made.best()
    return replace(made, contenders=tuple(replace(d, other=best) for d in differences))


def test_the_model_that_scores_best_is_the_one_to_use_on_every_line():
    made = with_models(boosting=0.6, mean_ce=0.38, boosted_cce=0.39)
    made = from_model(
        made,
        difference("emd2", "worse", 0.1),
        difference("ce", "worse", 0.3),
        difference("boosting", "not settled", 0.04),
        difference("boosted cce", "not settled", 0.02),
    )
    assert (made.best(), made.best_loss()) == ("mean ce", "emd2")
    found = card(made)
    assert found is not None
    what = "the mean of network and boosted trees with ce"
    assert found.use.startswith(f"Use {what}: it scores best for")
    assert "The network with emd2, its best loss, is worse by 10 %" in found.worth
    # It learns by the usual loss itself.
    assert "the usual loss" not in found.worth
    assert "Gradient boosting may be as good: it is between 1.0 % better" in found.worth
    assert found.sure.startswith("Whether boosted trees with cce is as good is not")
    assert found.cost == "" or found.cost.startswith(f"Training {what}")
    order = [method.key for method in made.ranked]
    assert order[:3] == ["mean ce", "boosted cce", "emd2"]
    assert made.leaderboard("polars")["method"].to_list() == order


def test_a_reference_that_scores_better_still_is_named_and_not_saved():
    made = with_models(mine=0.3, boosted_cce=0.39)
    made = from_model(made, difference("mine", "better", -0.2))
    assert made.best() == "boosted cce"
    found = card(made)
    assert found is not None
    said = "Use boosted trees with cce: of offby's models, they score best"
    assert found.use.startswith(said)
    assert "My forest scores better still (0.300 against 0.390)" in found.worth
    assert found.how == "model = comparison.fit_best(X, y)"


def test_a_network_that_beats_all_models_stays_the_answer():
    made = with_models(mean_ce=0.41, boosting=0.3)
    assert made.best() == made.best_loss() == "emd2"
    found = card(made)
    assert found is not None
    assert found.use.startswith("Use emd2: of offby's models, it scores best")
    assert "Gradient boosting scores better still" in found.worth


def test_a_model_with_an_infinite_score_is_not_the_best():
    made = with_models(boosted_cce=0.1)
    scores = tuple(
        replace(s, infinite_rows=1) if s.method == "boosted cce" else s
        for s in made.scores
    )
    assert replace(made, scores=scores).best() == "emd2"


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
    score = replace(made.scores[0], method="boosted ce", value=0.11)
    answers.print_comparison(replace(made, scores=(*made.scores, score)))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].startswith("Use emd2:")
    head = next(i for i, line in enumerate(lines) if line.startswith("loss"))
    assert lines[head + 2].split()[:3] == ["ce", "boosted", "trees"]
    assert "worse by 30 % (25 to 35 %)" in lines[head + 2]
    best = next(line for line in lines[head + 1 :] if "best model" in line)
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


def test_a_difference_has_one_unit_with_its_interval_and_without():
    """The end of an interval above 1,000 % does not make the other numbers another."""
    wide = replace(difference("emd1", "worse", 8.45), worse_by_high=11.0)
    assert said.size(wide) == "845 %"
    assert said.answer(wide).startswith("worse by 845 % (")
