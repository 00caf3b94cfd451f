"""Losses that came from other packages: their published values, and their mistakes."""

import pytest
import torch
from torch.testing import assert_close

from offby import Circle, Costs, Line, losses, nn
from offby.losses import levels

# Of dlordinal 2.7.0, dlordinal/losses/tests: test_cdw.py, test_wkloss.py and
# test_mceloss.py.

FOUR = torch.tensor([[1.0, 2, 3, 4], [5, 8, 1, 0], [-2, 5, 3, 2], [-4, 5, 3, 2]])
TEN = torch.tensor(
    [
        [1.1182, -1.4991, -1.6639, -2.6338, 1.0638, -1.7242],
        [0.0584, 0.8491, 0.4281, -0.1311, 0.3988, 0.9868],
        [0.1456, -0.6615, -0.7971, -0.6217, 1.5191, 1.2822],
        [-1.1213, -0.1885, 0.4632, -1.0184, -0.4659, -0.0324],
        [-1.9973, -1.9622, -0.7560, -0.1352, 0.3598, 0.9245],
        [-0.4714, 0.9953, 0.3056, 1.4104, -0.3741, -1.4388],
        [-0.0293, -1.6450, -1.4326, -0.3240, 1.1304, 2.6315],
        [1.2635, 0.4663, -0.2953, 1.1983, -1.0992, -1.1091],
        [2.0113, 0.1522, 0.8675, -0.5035, -0.6438, 0.1304],
        [-0.4665, 1.9245, 1.6211, 0.7804, -0.9119, 0.8178],
    ]
)
TEN_LABELS = torch.tensor([0, 4, 1, 3, 5, 4, 4, 3, 1, 2])
TEN_WEIGHTS = [1.60843373, 0.55394191, 1.02692308, 0.78070175, 1.12184874, 2.34210526]
MCE_LOGITS = torch.tensor(
    [
        [0.3255, 0.4393, -1.5535, -0.8568, -0.3322, -0.6268],
        [-0.9402, 0.7138, -1.1149, 0.7496, 1.5757, -1.2949],
        [-0.1394, 0.2133, -0.5924, 0.6975, -1.2350, 0.3287],
        [-1.6369, -0.3372, 0.4819, 0.2617, 2.2610, 1.9734],
        [0.3653, -0.7494, 1.4580, 0.6081, 0.8103, 2.0266],
        [0.0591, -0.3830, 1.3315, -0.2456, 0.3857, 0.1374],
        [-0.9824, 0.1123, 0.0179, 0.1617, -1.4736, 0.4105],
        [-0.3583, 0.4595, 2.4428, 0.8525, -1.4174, -0.8660],
        [-0.1506, 0.0283, -0.6797, 0.2403, -0.2998, 0.2174],
        [0.3124, 1.2276, -0.0129, -0.1195, -1.3243, 1.1227],
    ]
)


@pytest.mark.parametrize(
    ("power", "published"), [(0.5, 1.73862), (1.0, 2.37753), (2.0, 4.99029)]
)
def test_published_values_of_the_distance_weighted_cross_entropy(power, published):
    criterion = nn.CDWCrossEntropyLoss(power=power)
    found = criterion(FOUR, torch.arange(4))
    assert found.item() == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(
    ("power", "weight", "published"),
    [
        (0.5, [5, 1, 1.1, 6.6], 0.57611),
        (1.0, [5, 1, 1.1, 6.6], 0.84099),
        (2.0, [5, 1, 1.1, 6.6], 1.90280),
        (0.5, [1, 2, 3, 4], 0.47590),
        (1.0, [1, 2, 3, 4], 0.62137),
        (2.0, [1, 2, 3, 4], 1.16119),
    ],
)
def test_published_values_with_class_weights(power, weight, published):
    """There the weights are made to sum to 1, and the rows are counted once more."""
    criterion = nn.CDWCrossEntropyLoss(power=power, weight=weight)
    found = criterion(FOUR, torch.arange(4)) / 4
    assert found.item() == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(("power", "published"), [(2, 0.64032996), (1, 0.74347985)])
def test_published_values_of_the_weighted_kappa(power, published):
    criterion = nn.WeightedKappaLoss(power=power, weight=TEN_WEIGHTS)
    assert criterion(TEN, TEN_LABELS).item() == pytest.approx(published, rel=1e-6)


def test_published_value_of_the_mce():
    y = torch.tensor([1, 2, 4, 3, 2, 0, 5, 3, 1, 3])
    assert nn.BrierLoss()(MCE_LOGITS, y).item() / 6 == pytest.approx(0.1626, rel=1e-3)


def test_equal_to_dlordinal_where_it_is_installed():
    theirs = pytest.importorskip("dlordinal.losses")
    torch.manual_seed(0)
    z, y = torch.randn(40, 6), torch.randint(6, (40,))
    for ours, other in (
        (
            losses.cdw_cross_entropy(z, y, power=2, margin=0.05).mean(),
            theirs.CDWCELoss(6, alpha=2.0, margin=0.05)(z, y),
        ),
        (
            losses.slace(z, y, temperature=2.0).mean(),
            theirs.SLACELoss(0.5, 6)(z, y).float(),
        ),
        (losses.weighted_kappa(z, y), theirs.WKLoss(6, use_logits=True)(z, y)),
        (losses.brier(z, y).mean() / 6, theirs.MCELoss(6, use_logits=True)(z, y)),
        (
            levels.squared_error(z, y).sum(),
            theirs.OrdinalECOCDistanceLoss(7)(z.sigmoid(), y),
        ),
    ):
        assert_close(ours, other, rtol=1e-5, atol=1e-6)


# Of coral-pytorch 1.4.0, coral_pytorch/tests/test_losses.py.


def test_published_values_of_coral_with_levels_out_of_order():
    z = torch.tensor(
        [[2.1, 1.8, -2.1, -1.8], [1.9, -1.0, -1.5, -1.3], [1.9, 1.8, 1.7, 1.6]]
    )
    found = levels.cross_entropy(z, torch.tensor([2, 1, 4]))
    expected = torch.tensor([0.5370, 0.8951, 0.6441])
    assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert found.sum().item() == pytest.approx(2.0761, rel=1e-3)
    assert found.mean().item() == pytest.approx(0.6920, rel=1e-3)


# Levels


def test_levels_in_order_are_classes():
    z = torch.randn(20, 5, dtype=torch.float64).sort(-1, descending=True).values
    y = torch.arange(20) % 6
    log_p = levels.log_probs(z)
    assert_close(log_p.logsumexp(-1), torch.zeros(20).double(), rtol=0, atol=1e-9)
    ce = losses.cumulative_cross_entropy(log_p, y)
    assert_close(levels.cross_entropy(z, y), ce, rtol=1e-6, atol=1e-9)
    emd = losses.squared_emd(log_p, y)
    assert_close(levels.squared_error(z, y), emd, rtol=1e-6, atol=1e-9)


def test_levels_that_contradict_each_other_are_sorted():
    p = levels.log_probs(torch.tensor([-1.0, 2.0, 2.0])).exp()
    assert (p >= 0).all()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("loss", [levels.cross_entropy, levels.squared_error])
def test_levels_refuse_what_does_not_fit(loss):
    z = torch.zeros(2, 3)
    assert loss(z, torch.tensor([4, -1])).isnan().all()
    with pytest.raises(ValueError, match="for each row of levels"):
        loss(z, torch.tensor([0]))
    with pytest.raises(TypeError, match=r"\.long\(\)"):
        loss(z, torch.zeros(2))
    with pytest.raises(TypeError, match=r"\.float\(\)"):
        loss(z.long(), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="last axis"):
        loss(torch.zeros(2, 0), torch.tensor([0, 1]))
    torch.manual_seed(0)
    z = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor([0, 1, 3, 5])), z)


# What others got wrong (PEERS.md)


def test_d4_confident_mistakes_keep_their_value_and_their_slope():
    for margin in (20.0, 100.0, 1e4):
        z = torch.tensor([margin, 0.0, 0.0], requires_grad=True)
        loss = losses.cdw_cross_entropy(z, torch.tensor(2))
        (slope,) = torch.autograd.grad(loss, z)
        # Two steps off: log(1 - p) of the first class is log 2 - margin.
        assert loss.item() == pytest.approx(2 * (margin - 0.6931472), rel=1e-6)
        assert slope[0].item() == pytest.approx(2, rel=1e-5)


def test_d8_a_batch_of_one_class_learns_where_the_frequencies_are_known():
    z = torch.zeros(4, 5, requires_grad=True)
    y = torch.zeros(4, dtype=torch.int64)
    alone = nn.WeightedKappaLoss()(z, y)
    assert alone.item() == pytest.approx(1)
    assert torch.autograd.grad(alone, z)[0].abs().max() < 1e-7
    known = nn.WeightedKappaLoss(frequencies=[1, 1, 1, 1, 1])
    (slope,) = torch.autograd.grad(known(z, y), z)
    assert (slope[:, 0] < -1e-3).all()
    assert (slope[:, 4] > 1e-3).all()


def test_d8_any_dtype_and_any_batch():
    criterion = nn.WeightedKappaLoss(frequencies=[1.0, 2.0, 3.0])
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        loss = criterion(2 * torch.eye(3, dtype=dtype), torch.tensor([0, 1, 2]))
        assert loss.isfinite()
        assert loss.dtype == torch.promote_types(dtype, torch.float32)
    assert not list(nn.WeightedKappaLoss().state_dict())
    assert list(criterion.state_dict()) == ["frequencies"]


def test_slace_takes_ten_thousand_classes():
    """Others build a table of K^3 numbers."""
    z = torch.zeros(1, 10_000, requires_grad=True)
    losses.slace(z, torch.tensor([3])).sum().backward()
    assert z.grad is not None
    assert z.grad[0, 3] < 0


# Weighted kappa


@pytest.mark.parametrize(
    "on", [None, Line([0.0, 1, 5]), Circle.regular(3), Costs.equal(3)]
)
def test_kappa_is_one_less_that_of_scikit_learn_and_feels_its_ground(on):
    y, guess = torch.tensor([0, 1, 2, 2, 1, 0, 2]), torch.tensor([0, 2, 2, 1, 1, 1, 2])
    z = torch.nn.functional.one_hot(guess, 3) * 1e3
    cost = (on or Line.regular(3)).cost.float().square()
    paid = cost[guess, y].mean()
    by_chance = cost[guess][:, y].mean()
    found = losses.weighted_kappa(z.float(), y, on)
    assert_close(found, paid / by_chance)
    if on is None:
        from sklearn.metrics import cohen_kappa_score

        kappa = cohen_kappa_score(y, guess, weights="quadratic")
        assert found.item() == pytest.approx(1 - kappa, rel=1e-6)


def test_kappa_of_any_forecast_without_inputs_is_one():
    z = torch.randn(3, dtype=torch.float64).expand(9, 3)
    y = torch.tensor([0, 0, 1, 2, 2, 2, 1, 0, 2])
    assert losses.weighted_kappa(z, y).item() == pytest.approx(1, rel=1e-12)


def test_kappa_counts_rows_as_often_as_they_weigh():
    torch.manual_seed(0)
    z, y = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 3])
    times = torch.tensor([1, 0, 2, 3, 1])
    for criterion in (
        nn.WeightedKappaLoss(),
        nn.WeightedKappaLoss(power=1, weight=[1.0, 2, 3, 4]),
        nn.WeightedKappaLoss(frequencies=[4.0, 3, 2, 1]),
    ):
        repeated = criterion(z.repeat_interleave(times, 0), y.repeat_interleave(times))
        weighed = criterion(z, y, times.double())
        assert_close(weighed, repeated)
        spoilt = z.clone()
        spoilt[1] = torch.nan
        assert_close(criterion(spoilt, y, times.double()), repeated)
        ignored = y.where(times > 0, -100)
        assert_close(criterion(spoilt, ignored, times.double()), repeated)
        soft = torch.nn.functional.one_hot(y, 4).double()
        assert_close(criterion(z, soft, times.double()), repeated)


def test_kappa_in_images_and_without_any_row():
    torch.manual_seed(0)
    z, y = torch.randn(2, 4, 3, 5), torch.randint(4, (2, 3, 5))
    flat = losses.weighted_kappa(z.movedim(1, -1).reshape(-1, 4), y.reshape(-1))
    assert_close(nn.WeightedKappaLoss()(z, y), flat)
    assert_close(losses.weighted_kappa(z, y, dim=1), flat)
    z.requires_grad_()
    nothing = nn.WeightedKappaLoss(ignore_index=-1)(z, torch.full_like(y, -1))
    nothing.backward()
    assert nothing == 0
    assert z.grad is not None
    assert not z.grad.any()


def test_kappa_has_slopes_that_are_right():
    torch.manual_seed(0)
    z = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3, 3, 1])
    assert torch.autograd.gradcheck(lambda x: losses.weighted_kappa(x, y), z)
    compiled = torch.compile(
        nn.WeightedKappaLoss(), backend="aot_eager", fullgraph=True
    )
    assert_close(compiled(z, y), losses.weighted_kappa(z, y))


def test_kappa_refuses_what_it_cannot_mean():
    z, y = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="power must be positive"):
        losses.weighted_kappa(z, y, power=0)
    with pytest.raises(ValueError, match="power must be positive"):
        nn.WeightedKappaLoss(power=-1)
    with pytest.raises(ValueError, match="one number for each of 3 classes"):
        nn.WeightedKappaLoss(frequencies=[1.0, 2.0])(z, y)
    with pytest.raises(ValueError, match="one number for each row"):
        losses.weighted_kappa(z, y, sample_weight=torch.ones(3))
    with pytest.raises(IndexError, match="class 7 of 3"):
        nn.WeightedKappaLoss()(z, torch.tensor([0, 7]))
    with pytest.raises(TypeError, match="no term of a MixedLoss"):
        nn.MixedLoss([(1.0, nn.WeightedKappaLoss()), (1.0, nn.CrossEntropyLoss())])(
            z, y
        )
    assert losses.weighted_kappa(z, torch.tensor([0, 7])).isnan()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"power": 0.0}, "power must be positive"),
        ({"margin": 1.0}, "margin must be from 0 to below 1"),
        ({"temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, says):
    name = "slace" if "temperature" in wrong else "cdw_cross_entropy"
    kind = nn.SLACELoss if "temperature" in wrong else nn.CDWCrossEntropyLoss
    with pytest.raises(ValueError, match=says):
        getattr(losses, name)(torch.zeros(1, 2), torch.tensor([0]), **wrong)
    with pytest.raises(ValueError, match=says):
        kind(**wrong)
