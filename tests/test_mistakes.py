"""The typical mistakes: each is made here, and answered with a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import offby
from offby import Bins, Circle, Costs, Line, Tree, decode
from offby.distribution.class_distribution import ClassDistribution

PAGE = (Path(__file__).parents[1] / "docs/mistakes.md").read_text(encoding="utf-8")
nn: Any = offby.nn  # much of this is what its signatures forbid
ANY: Any = offby
Z = torch.linspace(-1, 1, 20).reshape(4, 5)
Y = torch.tensor([0, 1, 4, 2])
Q = Z.softmax(1)
BINS = Bins.uniform(0, 1, 5)
LINE = BINS.line()
VALUE = Z[:, 0].abs()
FORECAST: Any = offby.BinnedDistribution(Q, BINS)
CLASSES: Any = ClassDistribution([0.5, 0.5], ["a", "b"])
LEVEL = {"quantiles": (0.5,), "chance_above": (0.5,)}
TREE = Tree.from_paths(["animal/dog", "animal/cat", "plant/oak"])


class Mistake(NamedTuple):
    title: str
    make: Callable[[], Any]
    error: type[Exception]
    says: str


def refuses(title: str, make: Callable[[], Any], error, says: str) -> Mistake:
    return Mistake(title, make, error, says)


def emd(*given: Any, **settings: Any) -> Any:
    return nn.SquaredEMDLoss(**settings)(*given)


MISTAKES = [
    refuses(
        "class indices as floating numbers",
        lambda: emd(Z, Y.float()),
        ValueError,
        r"class indices must be integers \(`.long\(\)`\)",
    ),
    refuses(
        "one-hot rows of integers",
        lambda: emd(Z, torch.eye(5)[Y].long()),
        ValueError,
        r"probabilities must be floating .*`.argmax\(dim\)` makes indices",
    ),
    refuses(
        "targets from 1 to K",
        lambda: emd(Z, Y + 1),
        IndexError,
        r"class 5 of 5 classes 0 to 4, row 2; .*subtract 1",
    ),
    refuses(
        "a head of one output",
        lambda: emd(Z[:, :1], Q[:, :1]),
        ValueError,
        "at least two classes.*one output for each bin",
    ),
    refuses(
        "numbers as target of a loss on classes",
        lambda: emd(Z[:, 0], Z[:, 0]),
        ValueError,
        r"must be one distribution.*HistogramCRPSLoss\(bins\) takes numbers",
    ),
    refuses(
        "probabilities that do not sum to 1",
        lambda: emd(Z, 2 * Q),
        ValueError,
        "row 0 sums to 2; divide it by its sum",
    ),
    refuses(
        "negative probabilities",
        lambda: emd(Z, Z),
        ValueError,
        "must hold probabilities, 0 to 1, but one is -1; logits as a target go through",
    ),
    refuses(
        "classes last in a sequence",
        lambda: emd(torch.zeros(2, 3, 5), torch.zeros(2, 3).long()),
        ValueError,
        "on axis 1 .dim=1.*pass dim=-1",
    ),
    refuses(
        "a target in NumPy",
        lambda: emd(Z, np.zeros(4, dtype=np.int64)),
        TypeError,
        "target must be a tensor, got ndarray; torch.as_tensor",
    ),
    refuses(
        "target of another number of rows",
        lambda: emd(Z, Y[:3]),
        ValueError,
        r"shape \(4,\) for logits of shape \(4, 5\).*got shape \(3,\)",
    ),
    refuses(
        "logits that are integers",
        lambda: emd(Z.argmax(1), Y),
        TypeError,
        "logits must be floating, got dtype torch.int64; pass the network's raw output",
    ),
    refuses(
        "logits and target on two devices",
        lambda: emd(Z, Y.to("meta")),
        RuntimeError,
        "on one device, got cpu and meta; move one",
    ),
    refuses(
        "a ground of another size",
        lambda: emd(Z, Y, ground=Line.regular(4)),
        ValueError,
        "logits must have 4 classes .*as the ground has",
    ),
    refuses(
        "a ground as a list or tensor",
        lambda: emd(Z, Y, ground=[0, 1, 2, 3, 4]),
        TypeError,
        r"ground must be a Line.*got list; Line\(positions\)",
    ),
    refuses(
        "edges that do not increase",
        lambda: Bins([0, 2, 1]),
        ValueError,
        r"edges must increase, but edges\[1\] = 2 and edges\[2\] = 1",
    ),
    refuses(
        "a grid as a list",
        lambda: nn.HistogramCRPSLoss([0, 1, 2]),
        TypeError,
        r"bins must be offby.Bins, got list; Bins\(edges\)",
    ),
    refuses(
        "class weights of another size",
        lambda: emd(Z, Y, weight=[1.0, 2.0]),
        ValueError,
        "one number for each of 5 classes",
    ),
    refuses(
        "negative class weights",
        lambda: nn.SquaredEMDLoss(weight=[1.0, -2.0]),
        ValueError,
        r"weight\[1\] = -2; a class that must not count has weight 0",
    ),
    refuses(
        "class weights that are NaN or all 0",
        lambda: nn.SquaredEMDLoss(weight=[0.0, 0.0]),
        ValueError,
        "a class that counts, but all are 0",
    ),
    refuses(
        "negative sample weights",
        lambda: emd(Z, Y, -torch.ones(4)),
        ValueError,
        "not negative, but one is -1; a row that must not count has weight 0",
    ),
    refuses(
        "sample weights that would broadcast",
        lambda: emd(Z, Y, torch.ones(4, 1)),
        ValueError,
        r"one number for each row of logits, shape \(4,\), got shape \(4, 1\)",
    ),
    refuses(
        "`ignore_index=None`",
        lambda: nn.SquaredEMDLoss(ignore_index=None),
        TypeError,
        "must be an integer, got None; the default, -100",
    ),
    refuses(
        "`ignore_index` for probabilities",
        lambda: emd(Z, Q, ignore_index=0),
        ValueError,
        "a mask as sample_weight",
    ),
    refuses(
        "a power below 1",
        lambda: nn.WassersteinLoss(p=0.5),
        ValueError,
        "p must be at least 1, got 0.5",
    ),
    refuses(
        "another reduction",
        lambda: nn.SquaredEMDLoss(reduction="avg"),
        ValueError,
        '"mean", "sum" or "none", got \'avg\'',
    ),
    refuses(
        "a dictionary in `MixedLoss`",
        lambda: nn.MixedLoss({"ce": 1.0}),
        TypeError,
        r"a list of pairs \(factor, criterion\), got dict",
    ),
    refuses(
        "a criterion of torch.nn in `MixedLoss`",
        lambda: nn.MixedLoss([(1.0, torch.nn.CrossEntropyLoss())]),
        TypeError,
        "one is CrossEntropyLoss of torch.nn.*equals that of torch.nn",
    ),
    refuses(
        "a function in `MixedLoss`",
        lambda: nn.MixedLoss([(1.0, offby.losses.squared_emd)]),
        TypeError,
        "one is squared_emd of offby.losses",
    ),
    refuses(
        "terms of different reductions",
        lambda: nn.MixedLoss(
            [(1, nn.SquaredEMDLoss()), (1, nn.CrossEntropyLoss(reduction="sum"))]
        ),
        ValueError,
        "same reduction, got mean and sum",
    ),
    refuses(
        "squared EMD on asymmetric costs",
        lambda: emd(Z[:, :2], Y % 2, ground=Costs([[0, 1], [2, 0]], asymmetric=True)),
        ValueError,
        "needs symmetric costs.*use wasserstein",
    ),
    refuses(
        "cumulative cross-entropy on a circle",
        lambda: nn.CumulativeCrossEntropyLoss(Circle.regular(5))(Z, Y),
        NotImplementedError,
        "use squared_emd",
    ),
    refuses(
        "the mean of numbers on a circle",
        lambda: decode.mean(Z, Circle.regular(5)),  # pyright: ignore[reportArgumentType]
        TypeError,
        "use `circular_mean`",
    ),
    refuses(
        "a mask as target",
        lambda: emd(Z, Y > 1),
        TypeError,
        r"got dtype torch.bool; convert it with `.long\(\)`",
    ),
    refuses(
        "numbers in a column of their own",
        lambda: nn.HistogramCRPSLoss(BINS)(Z, torch.rand(4, 1)),
        ValueError,
        r"one number for each row of logits, shape \(4,\).*got shape \(4, 1\)",
    ),
    refuses(
        "class indices where numbers are meant",
        lambda: nn.HistogramCRPSLoss(BINS)(Z, Y),
        TypeError,
        "must hold real numbers, got dtype torch.int64",
    ),
    refuses(
        "a grid of another size",
        lambda: nn.HistogramCRPSLoss(Bins.uniform(0, 1, 4))(Z, torch.rand(4)),
        ValueError,
        "logits must have 4 classes",
    ),
    refuses(
        "label smoothing in percent",
        lambda: nn.CrossEntropyLoss(label_smoothing=10),
        ValueError,
        "between 0 and 1, got 10",
    ),
    refuses(
        "quantiles in percent",
        lambda: decode.quantiles(Z, BINS, [50.0]),
        ValueError,
        "levels must lie between 0 and 1",
    ),
    refuses(
        "names that differ by capitals in a tree",
        lambda: Tree.from_paths(["animal/dog", "Animal/cat"]),
        ValueError,
        "must be spelled alike",
    ),
    refuses(
        "a group that the tree does not have",
        lambda: TREE.mass(torch.tensor([0.5, 0.25, 0.25]), "animals"),
        ValueError,
        "that of a class or branch of the tree, got 'animals'",
    ),
    refuses(
        "categories in another order than the tree",
        lambda: offby.OrdinalClassifier(
            "emd2", ground=TREE, categories=["cat", "dog", "oak"]
        ).fit(np.arange(6.0)[:, None], ["cat", "dog", "oak"] * 2),
        ValueError,
        r"class 0 is 'cat' of categories and 'animal/dog' of the tree",
    ),
    refuses(
        "one output and two grids",
        lambda: nn.MixedLoss(
            [
                (1, nn.HistogramCRPSLoss(BINS)),
                (1, nn.HistogramNLLLoss(Bins.uniform(0, 2, 5))),
            ]
        ),
        ValueError,
        "the same bins",
    ),
    refuses(
        "criterion and factor in the other order",
        lambda: nn.MixedLoss([(nn.CrossEntropyLoss(), 1.0)]),
        TypeError,
        "one has the criterion first",
    ),
    refuses(
        "a negative factor in `MixedLoss`",
        lambda: nn.MixedLoss([(1, nn.CrossEntropyLoss()), (-1, nn.BrierLoss())]),
        ValueError,
        "nonnegative, finite number, got -1 for BrierLoss",
    ),
    refuses(
        "classes where `decode` needs outputs",
        lambda: decode.mean(torch.eye(5)[Y].long(), BINS),
        TypeError,
        "outputs must be floating, got dtype torch.int64",
    ),
    refuses(
        "a list of numbers for `bins.index`",
        lambda: ANY.Bins.index(BINS, [0.5, 0.7]),
        TypeError,
        "values must be a tensor, got list",
    ),
    refuses(
        "a number of bins that is not whole",
        lambda: ANY.Bins.uniform(0, 1, 10.0),
        TypeError,
        "n_bins must be a whole number, got float",
    ),
    refuses(
        "no bins, or fewer",
        lambda: Bins.symlog(-1, 1, -3),
        ValueError,
        "n_bins must be at least 1, got -3",
    ),
    refuses(
        "positions where a number of classes is meant",
        lambda: ANY.Circle.regular([0.0, 1.0, 2.0]),
        TypeError,
        "n_classes must be a whole number, got list; .*positions",
    ),
    refuses(
        "the ends of a range in the other order",
        lambda: offby.BinnedDistribution(Q, BINS).prob(0.7, [0.9, 0.5, 0.8, 0.7]),
        ValueError,
        "low must not be above high, got low = 0.7 and high = 0.5",
    ),
    refuses(
        "a negative number of draws",
        lambda: FORECAST.sample(-1),
        ValueError,
        "number of draws must not be negative, got -1; .*0 draws none",
    ),
    refuses(
        "a number as a string",
        lambda: ANY.decode.chance_above(Z, BINS, "2"),
        TypeError,
        r"threshold must hold numbers, got '2'; float\(...\) makes one",
    ),
    refuses(
        "a transform that is no function",
        lambda: ANY.decode.mean(Z, BINS, transform="symexp"),
        TypeError,
        "transform must be a function of a tensor, got str; .*decode.symexp",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_a_mistake_is_refused_with_a_sentence(mistake: Mistake) -> None:
    with pytest.raises(mistake.error, match=mistake.says) as caught:
        mistake.make()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) > 40
    assert f"| {mistake.title} |" in PAGE


def test_probabilities_instead_of_logits_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="without a softmax"):
        emd(Q, Y)
    assert "| probabilities instead of logits |" in PAGE


def test_the_page_lists_these_mistakes_and_no_other_as_refused() -> None:
    table = PAGE.split("## Refused")[1].split("## Not to be seen")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if "|" in line]
    listed = set(rows[2:])
    made = {mistake.title for mistake in MISTAKES} | {"probabilities instead of logits"}
    assert listed == made
    assert len(made) >= 20


CRITERIA: dict[str, Callable[[], Any]] = {
    "of classes": nn.SquaredEMDLoss,
    "of numbers": lambda: nn.HistogramCRPSLoss(BINS),
    "sum": lambda: nn.MixedLoss([(1.0, nn.CrossEntropyLoss())]),
    "sum of both": lambda: nn.MixedLoss(
        [(1.0, nn.CrossEntropyLoss()), (1.0, nn.HistogramCRPSLoss(BINS))]
    ),
    "of a batch": nn.WeightedKappaLoss,
    "of some classes": lambda: nn.SubsetLoss([0, 1], nn.CrossEntropyLoss()),
    "layer and loss": lambda: nn.LinearLoss(5, 5, nn.CrossEntropyLoss()),
}


@pytest.mark.parametrize("kind", CRITERIA)
def test_every_criterion_refuses_what_is_no_tensor(kind):
    for other in (Y.numpy(), Y.tolist(), None):
        with pytest.raises(TypeError, match="target must be a tensor, got"):
            CRITERIA[kind]()(Z, other)
    with pytest.raises(TypeError, match=r"(logits|hidden) must be a tensor, got"):
        CRITERIA[kind]()(Z.numpy(), Y)


@pytest.mark.parametrize("kind", ["of classes", "sum", "of a batch"])
def test_every_criterion_of_classes_looks_at_its_values(kind):
    with pytest.raises(ValueError, match="row 0 sums to 2"):
        CRITERIA[kind]()(Z, 2 * Q)
    with pytest.raises(ValueError, match="must hold probabilities, 0 to 1"):
        CRITERIA[kind]()(Z, Z)
    with pytest.raises(IndexError, match="class 5 of 5 classes 0 to 4, row 2"):
        CRITERIA[kind]()(Z, Y + 1)
    with pytest.raises(ValueError, match="not negative, but one is -1"):
        CRITERIA[kind]()(Z, Y, -torch.ones(4))
    with pytest.warns(UserWarning, match="without a softmax"):
        CRITERIA[kind]()(Q, Y)


FUNCTIONS = [
    "brier",
    "cdw_cross_entropy",
    "cross_entropy",
    "cumulative_cross_entropy",
    "slace",
    "squared_emd",
    "wasserstein",
    "weighted_kappa",
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_refuses_what_is_no_tensor(name):
    loss: Any = getattr(offby.losses, name)
    for dim in (-1, 1):
        with pytest.raises(TypeError, match="target must be a tensor, got ndarray"):
            loss(Z, Y.numpy(), dim=dim)
        with pytest.raises(TypeError, match="logits must be a tensor, got list"):
            loss(Z.tolist(), Y, dim=dim)


def test_what_the_page_says_of_mistakes_that_cannot_be_seen() -> None:
    """Log-probabilities are logits; all rows ignored is 0; outside numbers count."""
    loss = offby.losses.squared_emd
    torch.testing.assert_close(loss(Z.log_softmax(1), Y), loss(Z, Y))
    assert emd(Z, torch.full((4,), -100)) == 0
    outside = torch.full((4,), 3.0)
    assert offby.losses.histogram_nll(Z, outside, BINS).isinf().all()
    assert (offby.losses.histogram_crps(Z, outside, BINS) > 2).all()
    assert BINS.index(outside).tolist() == [4] * 4


SWAPPED: dict[str, Callable[[], Any]] = {
    "BinnedDistribution": lambda: ANY.BinnedDistribution(BINS, Q),
    "of a line": lambda: ANY.BinnedDistribution(Q, LINE),
    "of edges": lambda: ANY.BinnedDistribution(Q, [0.0, 1.0]),
    "from_logits": lambda: ANY.BinnedDistribution.from_logits(BINS, Z),
    "two_hot": lambda: ANY.targets.two_hot(BINS, VALUE),
    "hl_gauss": lambda: ANY.targets.hl_gauss(BINS, VALUE),
    "hl_gauss of edges": lambda: ANY.targets.hl_gauss(Z[:, 0], [0.0, 1.0]),
    "smoothed": lambda: ANY.targets.smoothed(LINE, Y, 1.0),
    "smoothed by": lambda: ANY.targets.smoothed(Y, 1.0, LINE),
    "one_hot": lambda: ANY.targets.one_hot(5, Y),
    **{
        f"decode.{name}": lambda name=name: getattr(decode, name)(
            BINS, Z, *LEVEL.get(name, ())
        )
        for name in ("mean", "variance", "mode", "median", "quantiles", "chance_above")
    },
    "quantiles of levels": lambda: ANY.decode.quantiles(Z, 0.5, BINS),
    "chance above bins": lambda: ANY.decode.chance_above(Z, 0.5, BINS),
    "circular_mean": lambda: ANY.decode.circular_mean(Circle.regular(5), Z),
    **{
        f"losses.{name}": lambda name=name: getattr(offby.losses, name)(Z, BINS, VALUE)
        for name in ("histogram_crps", "histogram_nll", "histogram_wasserstein")
    },
    "linear_crps": lambda: ANY.losses.linear_crps(Z, torch.eye(5), BINS, VALUE),
    "linear_nll": lambda: ANY.losses.linear_nll(Z, torch.eye(5), BINS, VALUE),
    "squared_emd": lambda: ANY.losses.squared_emd(Y, Z),
    "squared_emd on": lambda: ANY.losses.squared_emd(Z, LINE, Y),
    "metrics": lambda: ANY.metrics.histogram_crps(VALUE, BINS, Q),
    "Tree.mass": lambda: ANY.Tree.mass(TREE, "animal", torch.ones(3)),
    "anatomy": lambda: ANY.anatomy(Z, nn.SquaredEMDLoss(), Y),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_swapped_arguments_are_refused_with_a_sentence(name):
    with pytest.raises((TypeError, ValueError), match=r"must (be|hold|have) .*got"):
        SWAPPED[name]()


STRINGS: dict[str, Callable[[], Any]] = {
    "threshold": lambda: ANY.decode.chance_above(Z, BINS, None),
    "threshold of rows": lambda: ANY.decode.chance_above(Z, BINS, ["0.1"] * 4),
    "level": lambda: ANY.decode.quantiles(Z, BINS, "0.5"),
    "levels": lambda: ANY.decode.quantiles(Z, BINS, ["0.5"]),
    "edges": lambda: ANY.Bins("abc"),
    "positions": lambda: ANY.Line(["a", "b"]),
    "cdf": lambda: FORECAST.cdf("2"),
    "sf": lambda: FORECAST.sf(None),
    "crps": lambda: FORECAST.crps(np.array(["1", "2", "3", "4"], dtype=object)),
    "ppf": lambda: FORECAST.ppf("0.5"),
    "quantiles": lambda: FORECAST.quantiles(["0.5"]),
}


@pytest.mark.parametrize("name", STRINGS)
def test_numbers_that_are_strings_or_none_are_refused_with_a_sentence(name):
    with pytest.raises(TypeError, match=r"must hold numbers, got .*float\(...\)"):
        STRINGS[name]()


def test_a_missing_number_among_objects_stays_missing():
    """As pandas gives a column with gaps: not each object is a string."""
    numbers = np.array([0.5, None, 0.5, 0.5], dtype=object)
    assert np.isnan(FORECAST.cdf(numbers)).tolist() == [False, True, False, False]


DRAWS: dict[str, Callable[[], Any]] = {
    "part of a draw": lambda: FORECAST.sample(2.5),
    "of classes": lambda: CLASSES.sample(-1),
    "size": lambda: FORECAST.rvs((-1, 4)),
    "seed": lambda: FORECAST.sample(2, -1),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_a_whole_number_and_not_negative(name):
    with pytest.raises((TypeError, ValueError), match=r"must (not )?be .*got .*;"):
        DRAWS[name]()


def test_no_draws_are_an_empty_axis():
    assert FORECAST.sample(0).shape == (0, 4)
    assert CLASSES.sample(np.int64(3)).shape == (3,)


def test_what_a_transform_returns_must_fit_the_grid():
    for wrong in (lambda x: x.sum(), lambda x: x[:2], lambda x: x.numpy()):
        with pytest.raises((TypeError, ValueError), match=r"transform must return"):
            ANY.decode.mean(Z, BINS, transform=wrong)


def test_thresholds_of_another_number_of_rows_are_refused():
    with pytest.raises(ValueError, match=r"threshold must be .*\(4,\), got .*\(3,\);"):
        ANY.decode.chance_above(Z, BINS, [0.1, 0.2, 0.3])
