"""Values from the test suites of other packages, and where ours differ on purpose.

Each number is one that their own tests expect: dlordinal 2.7.0, skordinal 0.2.0,
spacecutter 0.2.1. Those of coral-pytorch and condor-pytorch are in test_heads.py and
test_family_losses.py, where more of dlordinal's are as well.
"""

import numpy as np
import pytest
import torch
from scipy.stats import binom, poisson
from torch.testing import assert_close

from offby import Line, decode, losses, metrics, nn, targets
from offby.nn import heads

# Metrics: dlordinal/metrics/tests/test_metrics.py, skordinal/metrics/tests.

TWENTY = (
    [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3],
    [1, 3, 3, 1, 2, 3, 1, 2, 2, 1, 3, 1, 1, 2, 2, 2, 3, 3, 1, 3],
)
HALVES = [0, 0, 1, 1], [0, 1, 0, 1]
RIGHT = [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]
FAR = [0, 0, 2, 1], [0, 2, 0, 1]
ALL_FAR = [0, 0, 2, 1, 3], [2, 2, 0, 3, 1]
BEYOND = [0, 1, 2, 3, 3], [0, 1, 2, 3, 4]
NEAR = [0, 1, 2, 3, 4], [0, 2, 1, 4, 3]
ROUND = [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]


@pytest.mark.parametrize(
    ("metric", "rows", "published"),
    [
        ("accuracy_within", ROUND, 5 / 6),
        ("accuracy_within", NEAR, 1.0),
        ("average_mean_absolute_error", HALVES, 0.5),
        ("average_mean_absolute_error", RIGHT, 0.0),
        ("average_mean_absolute_error", FAR, 1.0),
        ("average_mean_absolute_error", ALL_FAR, 2.0),
        ("average_mean_absolute_error", BEYOND, 0.125),
        ("maximum_mean_absolute_error", HALVES, 0.5),
        ("maximum_mean_absolute_error", RIGHT, 0.0),
        ("maximum_mean_absolute_error", FAR, 2.0),
        ("maximum_mean_absolute_error", ALL_FAR, 2.0),
        ("maximum_mean_absolute_error", BEYOND, 0.5),
        ("minimum_sensitivity", HALVES, 0.5),
        ("minimum_sensitivity", RIGHT, 1.0),
        ("mean_absolute_error", TWENTY, 0.3),
        ("mean_absolute_error", HALVES, 0.5),
        ("geometric_mean_sensitivity", TWENTY, 0.7991),
        ("geometric_mean_sensitivity", HALVES, 0.5),
        ("kendall_tau_b", TWENTY, 0.6240),
        ("kendall_tau_b", HALVES, 0.0),
        ("spearman_correlation", TWENTY, 0.6429),
        ("spearman_correlation", HALVES, 0.0),
        ("linear_weighted_kappa", TWENTY, 0.6703),
        ("linear_weighted_kappa", HALVES, 0.0),
    ],
)
def test_metrics(metric, rows, published):
    assert getattr(metrics, metric)(*rows) == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(("rows", "of_ends"), [(HALVES, (0.5, 0.5)), (RIGHT, (1, 1))])
def test_sensitivities_of_the_end_classes(rows, of_ends):
    """Their mean is dlordinal's `mes`, their geometric mean its `gmes` and `gmsec`."""
    np.testing.assert_allclose(metrics.sensitivities(*rows)[[0, -1]], of_ends)


# Soft labels: dlordinal/soft_labelling/tests.

TRIANGLES_OF_THREE = [[0, 0.0586412], [0.03018706, 0.15230179], [0.03493327, 0]]
"""Below and above each class; there the ends have a second number that is not used."""
TRIANGLES_OF_SIX = [
    [0, 0.01966654],
    [0.04475356, 0.02453978],
    [0.07121018, 0.1535088],
    [0.01083356, 0.05561108],
    [0.04605048, 0.02095387],
    [0.15887076, 0],
]
SOFT = {
    "exponential": (
        targets.exponential(torch.arange(5), 5),
        [
            [0.63640865, 0.23412166, 0.08612854, 0.03168492, 0.01165623],
            [0.19151597, 0.52059439, 0.19151597, 0.07045479, 0.02591887],
            [0.06745081, 0.1833503, 0.49839779, 0.1833503, 0.06745081],
            [0.02591887, 0.07045479, 0.19151597, 0.52059439, 0.19151597],
            [0.01165623, 0.03168492, 0.08612854, 0.23412166, 0.63640865],
        ],
    ),
    "exponential, squared": (
        targets.exponential(torch.arange(4), 4, power=2.0),
        [
            [7.21334965e-01, 2.65364304e-01, 1.32117107e-02, 8.90198068e-05],
            [2.09728513e-01, 5.70101206e-01, 2.09728513e-01, 1.04417678e-02],
            [1.04417678e-02, 2.09728513e-01, 5.70101206e-01, 2.09728513e-01],
            [8.90198068e-05, 1.32117107e-02, 2.65364304e-01, 7.21334965e-01],
        ],
    ),
    "geometric": (
        targets.geometric(torch.arange(3), 5),
        [
            [0.9, 9.00090009e-02, 9.00090009e-03, 9.00090009e-04, 9.00090009e-05],
            [4.73933649e-02, 0.9, 4.73933649e-02, 4.73933649e-03, 4.73933649e-04],
            [4.54545455e-03, 4.54545455e-02, 0.9, 4.54545455e-02, 4.54545455e-03],
        ],
    ),
    "geometric, narrow": (
        targets.geometric(torch.arange(3), 5, spill=0.05),
        [
            [0.95, 4.75002969e-02, 2.37501484e-03, 1.18750742e-04, 5.93753711e-06],
            [2.43605359e-02, 0.95, 2.43605359e-02, 1.21802680e-03, 6.09013398e-05],
            [1.19047619e-03, 2.38095238e-02, 0.95, 2.38095238e-02, 1.19047619e-03],
        ],
    ),
    "geometric, by class": (
        targets.geometric(torch.arange(2), 5, spill=[0.2, 0.1, 0.05, 0.1, 0.2]),
        [
            [0.8, 1.60256410e-01, 3.20512821e-02, 6.41025641e-03, 1.28205128e-03],
            [4.73933649e-02, 0.9, 4.73933649e-02, 4.73933649e-03, 4.73933649e-04],
        ],
    ),
    # Of the triangles and betas only the classes in the middle: see below.
    "triangular": (
        targets.triangular(torch.arange(1, 6), 7),
        [
            [0.01, 0.98, 0.01, 0, 0, 0, 0],
            [0, 0.01, 0.98, 0.01, 0, 0, 0],
            [0, 0, 0.01, 0.98, 0.01, 0, 0],
            [0, 0, 0, 0.01, 0.98, 0.01, 0],
            [0, 0, 0, 0, 0.01, 0.98, 0.01],
        ],
    ),
    "triangular, two numbers for each class": (
        targets.triangular(torch.arange(3), 3, spill=TRIANGLES_OF_THREE),
        [
            [0.9413588, 0.0586412, 0.0],
            [0.03018706, 0.81751114, 0.15230179],
            [0.0, 0.03493327, 0.96506673],
        ],
    ),
    "binomial": (targets.binomial(torch.tensor(2), 5), [0.0625, 0.25, 0.375]),
}


@pytest.mark.parametrize("family", SOFT)
def test_soft_labels(family):
    found, published = SOFT[family]
    published = torch.tensor(published)
    found = found[..., : published.shape[-1]]
    assert_close(found, published, rtol=2e-6, atol=1e-8)


# Where ours differ on purpose: their rows, and what is wrong with them.

THEIR_POISSON = [
    [0.23414552, 0.23414552, 0.19480578, 0.17232403, 0.16457916],
    [0.18896888, 0.21635436, 0.21635436, 0.19768881, 0.18063359],
    [0.17822335, 0.19688341, 0.21214973, 0.21214973, 0.20059378],
    [0.17919028, 0.18931175, 0.20370191, 0.21389803, 0.21389803],
    [0.18400408, 0.18903075, 0.19882883, 0.21031236, 0.21782399],
]
THEIR_BETA = [
    [0.83222783, 0.15097600, 0.01614080, 6.528e-04, 2.56e-06],
    [0.16306231, 0.67401521, 0.15985465, 0.00306715, 6.79695e-07],
    [5.9739373e-04, 0.16304605, 0.67271312, 0.16304605, 5.9739373e-04],
]


def test_their_poisson_labels_are_nearly_flat_and_share_their_peak():
    theirs, ours = torch.tensor(THEIR_POISSON), targets.poisson(torch.arange(5), 5)
    assert (theirs.topk(2, -1).values.diff().abs()[:4] < 1e-6).all()
    assert theirs.max() < 0.24
    gap = ours.topk(2, -1).values
    assert (gap[:, 0] > 1.1 * gap[:, 1]).all()


def test_a_beta_by_one_number_is_near_the_tabulated_ones():
    ours = targets.beta(torch.arange(3), 5)
    away = (ours - torch.tensor(THEIR_BETA)).abs().amax(-1)
    assert away[:2].max() < 0.08
    assert away[2] < 0.03


def test_the_two_ends_of_a_triangle_are_alike_here():
    """There 0.0115 of the first class go to its neighbor, and 0.0051 of the last."""
    ends = targets.triangular(torch.tensor([0, 4]), 5)
    assert_close(ends[0], ends[1].flip(-1))
    assert ends[0, 1].item() == pytest.approx(0.01 / 0.99)


# Losses: dlordinal/losses/tests. Its logits sum to 1, of which criteria would warn.

THREE = torch.tensor(
    [
        [0.8, 0.1, 0.1, 0.0, 0.0, 0.0],
        [0.1, 0.8, 0.1, 0.0, 0.0, 0.0],
        [0.0, 0.1, 0.8, 0.1, 0.0, 0.0],
    ]
)


@pytest.mark.parametrize(
    ("power", "published"),
    [
        (1.0, 1.53492),
        (1.2, 1.51328),
        (1.4, 1.49786),
        (1.6, 1.48705),
        (1.8, 1.47952),
        (2.0, 1.47439),
    ],
)
def test_cross_entropy_to_exponential_labels(power, published):
    soft = targets.exponential(torch.arange(3), 6, power=power)
    found = losses.cross_entropy(THREE, soft).mean()
    assert found.item() == pytest.approx(published, rel=1e-5)


TRIANGLE_AT_THE_END = 0.97218207, 0.02781792
"""Its row of the first of six classes, where those in the middle spill 0.05."""


def labels_of_dlordinal(family: str) -> torch.Tensor:
    """Their rows of the first three of six classes, by the formulas of the papers."""
    k, y = np.arange(6), np.arange(3)[:, None]
    if family == "triangular":
        table = targets.triangular(torch.arange(3), 6, spill=0.05).double().numpy()
        table[0, :2] = TRIANGLE_AT_THE_END
    elif family == "binomial":
        table = binom.pmf(k, 5, np.linspace(0.1, 0.9, 6)[:3, None])
    else:
        table = np.exp(poisson.pmf(k, y + 1))
    return torch.tensor(table / table.sum(1, keepdims=True)).float()


@pytest.mark.parametrize(
    ("family", "published"),
    [("triangular", 1.25947), ("binomial", 1.60699), ("poisson", 1.8203)],
)
def test_cross_entropy_to_the_labels_of_dlordinal(family, published):
    """Who wants their labels gives them as the target."""
    found = losses.cross_entropy(THREE, labels_of_dlordinal(family)).mean()
    assert found.item() == pytest.approx(published, abs=1e-4)


def test_cross_entropy_to_triangles_of_two_numbers_for_each_class():
    z = torch.tensor(
        [
            [-1.6488, -2.5838, -2.8312, -1.9495, -2.4759, -3.4682],
            [-1.7872, -3.9560, -6.2586, -8.3967, -7.9779, -8.0079],
            [-2.4078, -2.5133, -2.5584, -1.7485, -2.3675, -2.6099],
        ]
    )
    soft = targets.triangular(torch.tensor([4, 0, 5]), 6, spill=TRIANGLES_OF_SIX)
    found = losses.cross_entropy(z, soft).mean()
    assert found.item() == pytest.approx(1.3814, rel=1e-3)


RPS_ROWS = torch.tensor(
    [
        [0.2, 0.4, 0.2, 0.2],
        [0.7, 0.1, 0.1, 0.1],
        [0.5, 0.05, 0.1, 0.35],
        [0.1, 0.05, 0.65, 0.2],
    ]
)
ENDS = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
SOFT_ENDS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])


@pytest.mark.parametrize(
    ("p", "y", "published"),
    [
        (RPS_ROWS, torch.tensor([0, 0, 3, 2]), 0.506875),
        (ENDS, torch.tensor([2, 0]), 2.0),
        (ENDS, torch.tensor([0, 2]), 0.0),
        (SOFT_ENDS, SOFT_ENDS, 0.0),
    ],
    ids=["rps", "largest", "none", "soft"],
)
def test_squared_emd(p, y, published):
    found = nn.SquaredEMDLoss()(p.log(), y)
    assert found.item() == pytest.approx(published, rel=1e-6, abs=1e-12)


def test_slace():
    found = losses.slace(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([1]))
    assert found.item() == pytest.approx(0.8163748706490453, rel=1e-6)


def test_sord():
    z, y = torch.tensor([[1.5, 2.5, 5.0, 2.0]]), torch.tensor([2])
    soft = targets.smoothed(y, Line.regular(4), 1.0)
    found = losses.cross_entropy(z, soft)
    assert found.item() == pytest.approx(1.48472126591998, rel=1e-6)


def test_mean_squared_error_over_classes():
    """Every row but three sure of another class than its own: 10 / 48."""
    guess = torch.tensor([0, 0, 0, 2, 3, 4, 5, 4])
    z = 10_000.0 * torch.nn.functional.one_hot(guess, 6)
    found = nn.BrierLoss()(z, torch.tensor([0, 0, 0, 1, 2, 3, 4, 5]))
    assert found.item() / 6 == pytest.approx(0.2083, rel=1e-3)


KAPPA_ROWS = torch.tensor(
    [
        [0.4771, 1.7111, -0.5724, 0.2167, -0.6971, 0.0899],
        [-0.3333, 2.2221, 1.4642, 0.5251, -1.9387, -0.1995],
        [-1.2130, -0.5895, -1.0779, -0.4865, -0.3104, -0.2203],
        [1.9028, -0.0311, 1.0128, -0.3319, -1.9604, -1.0178],
        [-0.3340, 0.1268, 1.8875, -0.2423, 0.8052, 0.5424],
        [-1.6172, -0.9965, 0.3532, -0.0951, -1.3067, -0.0890],
        [-0.4112, -0.6456, -0.7137, -0.6413, -0.9140, -0.3890],
        [0.6984, 2.2330, 0.5405, 1.2638, 0.0382, 1.4028],
        [-0.3806, -2.0569, -0.8110, -2.1876, -0.0553, 0.0071],
        [1.0932, 1.0941, 0.5114, -0.3906, 0.3693, 1.7794],
    ]
)


def test_kappa_mixed_with_the_squared_error_over_classes():
    y = torch.tensor([0, 1, 2, 3, 4, 5, 4, 3, 2, 1])
    kappa, brier = nn.WeightedKappaLoss(), nn.BrierLoss()
    found = (kappa(KAPPA_ROWS, y) + brier(KAPPA_ROWS, y) / 6) / 2
    assert found.item() == pytest.approx(0.5304394960403442, rel=1e-6)


# CORN: dlordinal/wrappers/tests/test_corn.py decides by a threshold.


def asked(questions: list[float]) -> torch.Tensor:
    head = heads.CORN(len(questions), len(questions) + 1)
    head.linear = torch.nn.Identity()  # type: ignore[assignment]
    return head(torch.tensor([questions]))


@pytest.mark.parametrize(
    ("questions", "threshold", "published"),
    [
        ([-5.0, -5.0, -5.0], 0.5, 0),
        ([3.0, -3.0, -3.0], 0.5, 1),
        ([3.0, -3.0, -3.0], 0.9, 1),
        ([3.0, -3.0, -3.0], 0.99, 0),
        ([3.0, 3.0, -3.0], 0.5, 2),
        ([3.0, 3.0, -3.0], 0.9, 2),
        ([3.0, 3.0, -3.0], 0.92, 1),
        ([3.0, 3.0, 3.0], 0.5, 3),
    ],
)
def test_a_threshold_of_corn_is_a_quantile(questions, threshold, published):
    """The last class that is reached with more than the threshold."""
    found = decode.quantiles(asked(questions), Line.regular(4), 1 - threshold)
    assert found.item() == published


# dlordinal/losses/tests/test_corn_loss.py takes its values from a loop of its own.


CORN_ROWS = torch.tensor(
    [
        [1.0, 0.5, 0.0, -1.0],
        [-1.0, -0.5, 0.5, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [2.0, -2.0, 2.0, -2.0],
    ]
)


@pytest.mark.parametrize(
    ("z", "y"),
    [
        (CORN_ROWS, [0, 4, 1, 2]),
        (CORN_ROWS, [0, 0, 0, 0]),
        (CORN_ROWS, [4, 4, 4, 4]),
        (CORN_ROWS[3:], [2]),
        (1000 * torch.tensor([[-1.0, -1], [1, -1], [1, 1]]), [0, 1, 2]),
    ],
    ids=["all", "lowest", "highest", "one row", "certain"],
)
def test_the_loss_of_corn_is_that_of_the_questions_asked(z, y):
    asked_of, right = [], []
    for questions, label in zip(z.tolist(), y, strict=True):
        for k, question in enumerate(questions[: label + 1]):
            asked_of.append(question)
            right.append(float(label > k))
    binary = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(asked_of), torch.tensor(right), reduction="sum"
    )
    found = losses.cross_entropy(
        torch.cat([asked(row) for row in z.tolist()]), torch.tensor(y)
    ).sum()
    assert_close(found, binary)


# spacecutter: tests/test_losses.py.

LINKED = torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.6, 0.3]]).log()


def test_cumulative_link_loss_of_spacecutter():
    y = torch.tensor([1, 2])
    plain = nn.CrossEntropyLoss()(LINKED, y)
    assert plain.item() == pytest.approx(0.94856, abs=1e-5)
    # There weighted rows are divided by their number, in PyTorch by their weight.
    weighted = nn.CrossEntropyLoss(weight=[5.0, 10.0, 20.0], reduction="sum")
    assert weighted(LINKED, y).item() / 2 == pytest.approx(15.5054639, rel=1e-6)


def test_a_tiny_probability_is_not_clipped():
    """There it is, at 1e-15: the loss stays below 35, and the row has no slope."""
    z = torch.tensor([[0.25, 1e-20, 0.75]]).log().requires_grad_()
    found = losses.cross_entropy(z, torch.tensor([1]))
    assert found.item() == pytest.approx(20 * np.log(10), rel=1e-6)
    (slope,) = torch.autograd.grad(found.sum(), z)
    assert slope[0, 1].item() == pytest.approx(-1)


def test_the_layer_of_spacecutter_is_a_cumulative_link():
    models = pytest.importorskip("spacecutter.models")
    theirs, ours = models.LogisticCumulativeLink(5), heads.CumulativeLink(1, 5)
    with torch.no_grad():
        ours.score.weight.fill_(1.0)
        ours.first_threshold.copy_(theirs.cutpoints[:1])
        ours.raw_gaps.copy_(theirs.cutpoints.diff().expm1().log())
    score = torch.linspace(-3, 3, 13)[:, None]
    assert_close(ours(score).exp(), theirs(score), rtol=1e-4, atol=1e-6)
