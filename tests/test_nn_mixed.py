"""`MixedLoss`: sums, two kinds of targets from one number, balance."""

import functools

import pytest
import torch
from torch.testing import assert_close

from offby import Bins, Line, anatomy, losses, nn
from tests.cases import grid, line, points

EVEN = Line.regular(5).normalized()


def batch(*shape, n=5):
    torch.manual_seed(0)
    return torch.randn(*shape, n, requires_grad=True), torch.randint(n, shape)


def pushes_of(mixed: nn.MixedLoss) -> torch.Tensor:
    assert mixed.pushes is not None
    return mixed.pushes


def numbers(rows):
    return torch.linspace(-1, 5, rows)


def test_mixed_loss_is_the_weighted_sum():
    logits, target = batch(6)
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())])
    expected = losses.cross_entropy(logits, target) + 0.5 * losses.squared_emd(
        logits, target
    )
    assert_close(mixed(logits, target), expected.mean())
    assert not mixed.state_dict()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.0, 1.0, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_pass_or_several_give_the_same(reduction, weight, smoothing):
    logits, target = batch(6)
    target[2] = -100
    settings = {"reduction": reduction, "weight": weight}
    ce = nn.CrossEntropyLoss(**settings, label_smoothing=smoothing)
    emd = nn.SquaredEMDLoss(line(5), **settings)
    mixed = nn.MixedLoss([(1.0, ce), (0.5, emd)])
    rows = torch.arange(6.0)
    for given in ((logits, target), (logits, target, rows)):
        expected = ce(*given) + 0.5 * emd(*given)
        assert_close(mixed(*given), expected)


def test_classes_and_numbers_from_one_number():
    logits, _ = batch(6)
    value, bins = numbers(6), grid(5)
    terms = [
        (1.0, nn.CrossEntropyLoss()),
        (0.5, nn.HistogramCRPSLoss(bins)),
        (2.0, nn.SquaredEMDLoss(bins)),
    ]
    expected = (
        losses.cross_entropy(logits, bins.index(value))
        + 0.5 * losses.histogram_crps(logits, value, bins)
        + 2.0 * losses.squared_emd(logits, bins.index(value), bins.line())
    )
    assert_close(nn.MixedLoss(terms)(logits, value), expected.mean())
    images = torch.randn(2, 5, 3)
    numbers_of_images = torch.rand(2, 3)
    moved = images.movedim(1, -1)
    expected = losses.cross_entropy(moved, bins.index(numbers_of_images))
    expected = expected + losses.histogram_crps(moved, numbers_of_images, bins)
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, terms[1][1])])
    assert_close(mixed(images, numbers_of_images), expected.mean())


def test_a_missing_number_is_a_row_that_is_ignored():
    logits, _ = batch(6)
    value, bins = numbers(6), grid(5)
    value[2] = torch.nan
    kept = ~value.isnan()
    terms = [
        (1.0, nn.CrossEntropyLoss(ignore_index=-1)),
        (0.5, nn.HistogramCRPSLoss(bins, ignore_nan=True)),
    ]
    mixed = nn.MixedLoss(terms)
    assert_close(mixed(logits, value), mixed(logits[kept], value[kept]))
    strict = nn.MixedLoss([terms[0], (0.5, nn.HistogramCRPSLoss(bins))])
    assert strict(logits, value).isnan()


def test_ratio_brings_every_term_to_the_size_of_the_first():
    logits, target = batch(6)
    terms = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.WassersteinLoss(p=2))]
    mixed = nn.MixedLoss(terms, balance="ratio")
    first = losses.cross_entropy(logits, target).mean()
    assert_close(mixed(logits, target), 1.5 * first)
    assert mixed.means is not None
    means = mixed.means.clone()
    mixed.eval()
    mixed(3 * logits, target)
    assert torch.equal(mixed.state_dict()["means"], means)


def test_the_running_mean_moves_by_one_percent():
    logits, target = batch(6)
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss())], balance="ratio")
    one, other = (
        nn.CrossEntropyLoss()(z, target).detach() for z in (logits, 3 * logits)
    )
    mixed(logits, target)
    mixed(3 * logits, target)
    assert_close(mixed.means, (0.99 * one + 0.01 * other)[None])


def test_push_makes_the_first_pushes_alike():
    """The terms then move the logits of an untrained network by as much."""
    target = torch.tensor([0, 4, 2, 2, -100])
    logits = torch.zeros(5, 5, requires_grad=True)
    ce, emd = nn.CrossEntropyLoss(), nn.SquaredEMDLoss(line(5))
    mixed = nn.MixedLoss([(1.0, ce), (1.0, emd)], balance="push")
    loss = mixed(torch.randn(5, 5), target)
    assert loss.isfinite()
    sizes = []
    for criterion in (ce, emd):
        mean = anatomy(criterion.per_row, torch.zeros(4, 5), target[:4]).pushes
        sizes.append(mean.norm(dim=-1).mean())
    assert_close(pushes_of(mixed).double(), torch.stack(sizes), rtol=1e-5, atol=0)
    expected = ce(logits, target) + sizes[0] / sizes[1] * emd(logits, target)
    assert_close(mixed(logits, target).double(), expected.double(), rtol=1e-5, atol=0)


def test_push_is_measured_once_and_saved():
    logits, target = batch(6)

    def made():
        terms = [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss(line(5)))]
        return nn.MixedLoss(terms, balance="push")

    mixed, other = made(), made()
    unmeasured = mixed.eval()(logits, target)
    expected = nn.CrossEntropyLoss()(logits, target)
    assert_close(unmeasured, expected + nn.SquaredEMDLoss(line(5))(logits, target))
    mixed.train()
    mixed(logits, torch.full_like(target, -100))  # no row to measure on
    assert not pushes_of(mixed).any()
    mixed(logits, target)
    before = pushes_of(mixed).clone()
    mixed(logits, torch.zeros_like(target))
    assert torch.equal(pushes_of(mixed), before)
    other.load_state_dict(mixed.state_dict())
    assert_close(other(logits, target), mixed(logits, target))


def test_push_serves_numbers_probabilities_and_images():
    logits, target = batch(6)
    bins = grid(5)
    terms = [(1.0, nn.CrossEntropyLoss()), (1.0, nn.HistogramCRPSLoss(bins))]
    mixed = nn.MixedLoss(terms, balance="push")
    assert mixed(logits, numbers(6)).isfinite()
    value = numbers(6)
    crps = functools.partial(losses.histogram_crps, value=value, bins=bins)
    push = anatomy(lambda z, _: crps(z), torch.zeros(6, 5), target).pushes
    expected = push.norm(dim=-1).mean()
    assert_close(pushes_of(mixed)[1].double(), expected, rtol=1e-5, atol=0)
    soft = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])
    pushing = nn.MixedLoss(
        [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())], balance="push"
    )
    images, q = torch.randn(2, 5, 3), torch.randn(2, 5, 3).softmax(1)
    assert pushing(images, q).isfinite()
    assert soft(images, q).isfinite()
    rows = q.movedim(1, -1).reshape(6, 5)
    push = anatomy(losses.squared_emd, torch.zeros(6, 5), rows).pushes
    assert_close(
        pushes_of(pushing)[1].double(), push.norm(dim=-1).mean(), rtol=1e-5, atol=0
    )


def test_first_push_grows_with_the_ground_and_not_on_a_normalized_one():
    target = torch.arange(5)
    emd = nn.first_push(nn.SquaredEMDLoss(Line(10 * EVEN.positions)), target, 5)
    assert emd == pytest.approx(
        10 * nn.first_push(nn.SquaredEMDLoss(EVEN), target, 5), rel=1e-5
    )
    assert nn.first_push(nn.CrossEntropyLoss(), target, 5) == pytest.approx(
        0.8**0.5 * 1.0, rel=1e-5
    )


def test_longest_gradients_are_as_the_docstrings_say():
    """Of masses on the two ends alone, D = 1 apart: the share on the wrong end is f."""
    ends = Line([0.0, 1.0])
    f = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    logits = torch.stack([f.log(), (-f).log1p()], 1).requires_grad_()
    target = torch.ones(999, dtype=torch.int64)
    longest = {}
    for name in (
        "cross_entropy",
        "wasserstein",
        "squared_emd",
        "cumulative_cross_entropy",
    ):
        ground = {} if name == "cross_entropy" else {"ground": ends}
        loss = getattr(losses, name)(logits, target, **ground)
        (slope,) = torch.autograd.grad(loss.sum(), logits)
        longest[name] = float(slope.norm(dim=1).max())
    assert longest == {
        "cross_entropy": pytest.approx(1.41, abs=0.01),
        "wasserstein": pytest.approx(0.35, abs=0.005),
        "squared_emd": pytest.approx(0.42, abs=0.005),
        "cumulative_cross_entropy": pytest.approx(1.41, abs=0.01),
    }
    for kind, factor in (
        (nn.WassersteinLoss, 0.35),
        (nn.SquaredEMDLoss, 0.42),
        (nn.CumulativeCrossEntropyLoss, 1.41),
    ):
        assert f"{factor} D" in str(kind.__doc__)
        assert "normalized()" in str(kind.__doc__)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ([], "at least one"),
        ({"ce": nn.CrossEntropyLoss()}, r"list of pairs .factor, criterion., got dict"),
        ([nn.CrossEntropyLoss()], "must be pairs"),
        (
            [(1.0, torch.nn.CrossEntropyLoss())],
            "criteria of offby.nn, but one is Cross",
        ),
        ([(1.0, losses.squared_emd)], "criteria of offby.nn, but one is squared_emd"),
        ([(torch.inf, nn.CrossEntropyLoss())], "finite number, got inf"),
        (
            [
                (1.0, nn.CrossEntropyLoss()),
                (1.0, nn.SquaredEMDLoss(reduction="sum")),
            ],
            "same reduction, got mean and sum",
        ),
        (
            [(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss(dim=-1))],
            "same dim, got -1 and 1",
        ),
        (
            [
                (1.0, nn.HistogramCRPSLoss(Bins.uniform(0, 1, 4))),
                (1.0, nn.HistogramNLLLoss(Bins.uniform(0, 2, 4))),
            ],
            "same bins",
        ),
    ],
)
def test_mixed_loss_refuses_what_it_cannot_mix(terms, says):
    with pytest.raises((TypeError, ValueError), match=says):
        nn.MixedLoss(terms)


def test_mixed_loss_refuses_settings_that_mean_nothing():
    ce = [(1.0, nn.CrossEntropyLoss())]
    with pytest.raises(ValueError, match="ratio"):
        nn.MixedLoss(ce, balance="sum")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="head_start must be a number of batches"):
        nn.MixedLoss(ce, head_start=-1)


def test_head_start_holds_back_the_later_terms():
    logits, target = batch(6)
    ce, emd = nn.CrossEntropyLoss(), nn.SquaredEMDLoss()
    mixed = nn.MixedLoss([(1.0, ce), (0.5, emd)], head_start=2)
    alone, both = ce(logits, target), ce(logits, target) + 0.5 * emd(logits, target)
    for expected in (alone, alone, both, both):
        assert_close(mixed(logits, target), expected)
    mixed.eval()
    assert_close(mixed(logits, target), both)
    assert mixed.batches == 4


def test_nothing_is_counted_inside_a_transform():
    """A transform may call a function any number of times, on tensors of its own."""
    logits, target = batch(6)
    terms = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())]
    mixed = nn.MixedLoss(terms, balance="ratio", head_start=1)
    mixed(logits, target)
    before = {name: part.clone() for name, part in mixed.state_dict().items()}
    torch.func.grad(lambda z: mixed(z, target))(logits)
    torch.func.vmap(lambda z: mixed(z, target))(torch.stack([logits, logits]))
    for name, part in mixed.state_dict().items():
        assert torch.equal(part, before[name])


def test_one_infinite_batch_does_not_spoil_the_ratio():
    logits, target = batch(6)
    terms = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())]
    mixed = nn.MixedLoss(terms, balance="ratio")
    mixed(logits, target)
    impossible = logits.detach().clone()
    impossible[:, 0] = -torch.inf
    mixed(impossible, torch.zeros_like(target))
    assert mixed.means is not None
    assert mixed.means.isfinite().all()
    assert mixed(logits, target).isfinite()


def test_a_mix_on_another_ground_than_a_line():
    logits, target = batch(6)
    mixed = nn.MixedLoss(
        [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss(points(5)))]
    )
    expected = losses.cross_entropy(logits, target)
    expected = expected + 0.5 * losses.squared_emd(logits, target, points(5))
    assert_close(mixed(logits, target), expected.mean())
