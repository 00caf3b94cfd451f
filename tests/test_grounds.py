import pytest
import torch
from torch.testing import assert_close

from offby import Costs, Line, losses
from tests.cases import line, points


def around_a_clock(hours: int) -> torch.Tensor:
    """Steps from hour to hour, whichever way is shorter."""
    steps = (torch.arange(hours)[:, None] - torch.arange(hours)).abs()
    return torch.minimum(steps, hours - steps).double()


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("ground", [Line.regular, line, points, Costs.equal])
def test_cost_is_a_distance(ground, n):
    cost = ground(n).cost
    assert ground(n).n_classes == n
    assert cost.shape == (n, n)
    assert cost.dtype == torch.float64
    assert torch.equal(cost, cost.T)
    assert torch.equal(cost == 0, torch.eye(n, dtype=torch.bool))
    assert (cost[:, None] <= cost[:, :, None] + cost + 1e-12).all()


@pytest.mark.parametrize("ground", [Line.regular, line, points, Costs.equal])
def test_normalized_keeps_the_shape_and_has_largest_distance_one(ground):
    plain, normal = ground(6), ground(6).normalized()
    assert normal.cost.max() == 1
    assert_close(normal.cost * plain.cost.max(), plain.cost)
    assert ground(1).normalized().n_classes == 1


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (line(6).cost, "strict"),
        (line(6).cost.sqrt(), "strict"),
        (points(6).cost, "strict"),
        (torch.ones(4, 4) - torch.eye(4), "strict"),
        ((torch.pi * around_a_clock(6) / 6).sin(), "strict"),  # the chord
        (around_a_clock(4), "weak"),
        (line(6).cost.square(), "weak"),
        (line(6).cost.pow(3), "no"),
        (torch.zeros(3, 3), "weak"),
        (torch.zeros(1, 1), "strict"),
    ],
)
def test_negative_type_is_found(matrix, expected):
    # sin of the same angle on both sides of a circle differs in its last digit.
    assert Costs((matrix + matrix.T) / 2).negative_type == expected


def test_line_is_of_strict_negative_type():
    assert line(6).negative_type == "strict"
    assert Costs(line(6).cost).negative_type == "strict"


def test_ground_that_is_not_strict_confuses_two_distributions():
    noon_and_six = torch.tensor([0.5, 0, 0.5, 0], dtype=torch.float64)
    three_and_nine = noon_and_six.roll(1)
    arc = Costs(around_a_clock(4))
    assert losses.squared_emd(noon_and_six.log(), three_and_nine, arc) == 0
    chord = Costs(arc.cost.sqrt())
    assert losses.squared_emd(noon_and_six.log(), three_and_nine, chord) > 0.1


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([], "at least 1"),
        ([[0.0, 1.0]], "one axis"),
        ([0, 1, 1], r"positions\[1\] = 1 and positions\[2\] = 1"),
        ([0, 2, 1], "increase"),
        ([0, float("nan")], r"positions\[1\] = nan"),
        ([0, float("inf")], "finite"),
    ],
)
def test_line_names_the_position_it_refuses(positions, message):
    with pytest.raises(ValueError, match=message):
        Line(positions)
    with pytest.raises(ValueError, match="at least one class"):
        Line.regular(0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0.0, 1.0]], "square"),
        ([0.0, 1.0], "square"),
        ([[0, 1], [2, 0]], r"symmetric.*costs\[0, 1\] = 1"),
        ([[0, -1], [-1, 0]], "nonnegative"),
        ([[0, 1], [1, 3]], r"zero on the diagonal.*costs\[1, 1\] = 3"),
        ([[0, float("nan")], [1, 0]], "finite"),
    ],
)
def test_costs_name_the_entry_they_refuse(matrix, message):
    with pytest.raises(ValueError, match=message):
        Costs(matrix)


def test_repr_says_what_the_ground_is():
    assert repr(Line.regular(5)) == "Line(5 classes from 0 to 4, gaps 1)"
    assert repr(Line([3])) == "Line(1 class)"
    assert repr(Costs([[0]])) == "Costs(1 class)"
