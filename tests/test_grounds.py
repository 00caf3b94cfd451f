import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from offby import Circle, Costs, Line, Tree, losses
from offby.grounds import Ground
from offby.grounds._names import _some
from tests.cases import chord, circle, line, points, tree, uneven

GROUNDS = [Line.regular, line, points, Costs.equal, circle, chord, tree]
every_ground = pytest.mark.parametrize("ground", GROUNDS, ids=lambda g: g.__name__)


def around_a_clock(hours: int) -> torch.Tensor:
    """Steps from hour to hour, whichever way is shorter."""
    steps = (torch.arange(hours)[:, None] - torch.arange(hours)).abs()
    return torch.minimum(steps, hours - steps).double()


@pytest.mark.parametrize("n", [1, 2, 7])
@every_ground
def test_cost_is_a_distance(ground, n):
    cost = ground(n).cost
    assert ground(n).n_classes == n
    assert cost.shape == (n, n)
    assert cost.dtype == torch.float64
    assert torch.equal(cost, cost.T)
    assert torch.equal(cost == 0, torch.eye(n, dtype=torch.bool))
    assert (cost[:, None] <= cost[:, :, None] + cost + 1e-12).all()


@every_ground
def test_cost_to_is_a_column_of_the_cost(ground):
    on = ground(7)
    index = torch.tensor([[0, 3, 6], [6, 5, 5]])
    assert_close(on.cost_to(index), on.cost.T[index])
    assert on.cost_to(index[:0]).shape == (0, 3, 7)
    assert on.cost_to(torch.tensor(4)).shape == (7,)


@every_ground
@pytest.mark.parametrize("n", [2, 3, 6])
def test_claimed_negative_type_is_that_of_the_costs(ground, n):
    assert ground(n).negative_type == Costs(ground(n).cost).negative_type


@every_ground
def test_normalized_keeps_the_shape_and_has_largest_distance_one(ground):
    plain, normal = ground(6), ground(6).normalized()
    assert normal.cost.max().item() == pytest.approx(1, abs=1e-15)
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


@pytest.mark.parametrize("n", range(1, 10))
def test_arc_is_strict_unless_two_pairs_of_classes_face_each_other(n):
    regular = Circle.regular(n)
    expected = "weak" if n >= 4 and n % 2 == 0 else "strict"
    assert regular.negative_type == Costs(regular.cost).negative_type == expected
    assert Circle.regular(n, "chord").negative_type == "strict"
    assert Costs(Circle.regular(n, "chord").cost).negative_type == "strict"


def test_one_pair_that_faces_each_other_is_not_enough():
    for positions, expected in (
        ([0, 1, 12], "strict"),
        ([0, 1, 12, 14], "strict"),
        ([0, 1, 12, 13], "weak"),
        ([0.1, 1.7, 0.1 + 12, 1.7 + 12], "weak"),
    ):
        on = Circle(positions, 24)
        assert on.negative_type == Costs(on.cost).negative_type == expected
    # Tenths are rounded: 0.7 + 0.3 misses the middle of the way around by a digit.
    assert Circle(np.arange(6) * 0.6 / 6 + 0.7, 0.6).negative_type == "weak"


@st.composite
def circles(draw):
    n = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):  # Multiples of a quarter: many classes face each other.
        x = rng.choice(np.arange(40) / 4, n, replace=False)
        return Circle(np.sort(x) - 3, 10)
    return Circle(np.sort(rng.uniform(-3, 7, n)), rng.uniform(10.1, 40))


@st.composite
def trees(draw):
    """A random tree: each node hangs below some node before it."""
    nodes = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parents = [-1, *(int(rng.integers(0, k)) for k in range(1, nodes))]
    lengths = rng.choice([0.0, 0.25, 1.0, 3.5], nodes)
    turn = rng.permutation(nodes)  # The root need not come first.
    shuffled = np.empty(nodes, dtype=np.int64)
    for node, parent in enumerate(parents):
        shuffled[turn[node]] = -1 if parent < 0 else turn[parent]
    return Tree(shuffled, lengths)


def ways(on: Tree) -> torch.Tensor:
    """Distances of leaves, walked edge by edge."""
    parents, lengths = on.parents.tolist(), on.lengths.tolist()

    def to_root(node):
        steps = {}
        while parents[node] != -1:
            steps[node] = lengths[node]
            node = parents[node]
        return steps

    up = [to_root(k) for k in range(len(parents)) if k not in parents]
    rows = [[sum({**a, **b}[e] for e in a.keys() ^ b.keys()) for b in up] for a in up]
    return torch.tensor(rows, dtype=torch.float64)


@given(trees())
def test_tree_measures_the_way_from_leaf_to_leaf(on):
    assert_close(on.cost, ways(on), rtol=1e-13, atol=1e-13)


@given(st.one_of(trees(), circles()))
def test_cuts_add_up_to_the_distance(on):
    index = torch.arange(on.n_classes)
    assert_close(on.cuts.distance_from(index), on.cost, rtol=1e-12, atol=1e-12)
    assert (on.cuts.start <= on.cuts.end).all()
    assert (on.cuts.weights >= 0).all()


@given(st.one_of(trees(), circles()))
def test_claimed_type_and_largest_distance_are_those_of_the_matrix(on: Ground):
    assert on.negative_type == Costs(on.cost).negative_type
    if on.cost.max() > 0:
        assert on.normalized().cost.max().item() == pytest.approx(1, rel=1e-12)
        assert_close(on.normalized().cost * on.cost.max(), on.cost)


@given(circles(), st.floats(-50, 50))
def test_circle_has_no_beginning(on, shift):
    turned, by = ((on.positions + shift) % on.period).sort()
    again = Circle(turned, on.period)
    assert_close(again.cost, on.cost[by][:, by], rtol=0, atol=1e-12)


def test_chain_is_a_line_and_star_is_equal():
    x = uneven(5)
    spine = [-1, 0, 1, 2, 3]
    chain = Tree([*spine, 0, 1, 2, 3, 4], [0, *x.diff().tolist(), 0, 0, 0, 0, 0])
    assert_close(chain.cost, line(5).cost)
    assert len(chain.weights) == 4
    star = Tree([-1, 0, 0, 0, 0], [0, 0.5, 0.5, 0.5, 0.5])
    assert torch.equal(star.cost, Costs.equal(4).cost)


def test_tree_from_paths_keeps_the_order_of_the_classes():
    on = Tree.from_paths(["a/x", "b", "a/y/p", "a/y/q", "c/z"])
    expected = [
        [0, 3, 3, 3, 4],
        [3, 0, 4, 4, 3],
        [3, 4, 0, 2, 5],
        [3, 4, 2, 0, 5],
        [4, 3, 5, 5, 0],
    ]
    assert torch.equal(on.cost, torch.tensor(expected).double())
    assert Tree.from_paths(["one"]).n_classes == 1


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "at least one path"),
        (["a", "a/b"], "'a' also is a branch"),
        (["a/b", "c", "a/b"], "'a/b' comes twice"),
    ],
)
def test_paths_name_what_is_no_tree(paths, message):
    with pytest.raises(ValueError, match=message):
        Tree.from_paths(paths)


@pytest.mark.parametrize(
    ("parents", "lengths", "message"),
    [
        ([], None, "at least one node"),
        ([[-1]], None, "shape"),
        ([0, 0], None, "one root.*got 0"),
        ([-1, -1], None, "one root.*got 2"),
        ([-1, 5], None, r"parents\[1\] = 5"),
        ([-1, 2, 1], None, "node 1 comes back"),
        ([-1, 0], [1, 2, 3], "lengths must hold one number for each of 2 nodes"),
        ([-1, 0, 0], [0, 1, -2], r"lengths\[2\] = -2"),
        ([-1, 0], [0, float("inf")], r"lengths\[1\] = inf"),
    ],
)
def test_tree_names_the_node_it_refuses(parents, lengths, message):
    with pytest.raises(ValueError, match=message):
        Tree(np.array(parents, dtype=np.int64), lengths)
    with pytest.raises(TypeError, match="node numbers"):
        Tree([-1.0, 0.0])


@pytest.mark.parametrize(
    ("positions", "period", "message"),
    [
        ([0, 24], 24, "from 0 to 24 on a period of 24"),
        ([0, 1], 0, "one positive number"),
        ([0, 1], float("nan"), "one positive number"),
        ([1, 0], 24, "increase"),
        ([], 24, "at least 1"),
    ],
)
def test_circle_refuses_what_does_not_fit_on_one_turn(positions, period, message):
    with pytest.raises(ValueError, match=message):
        Circle(positions, period)
    with pytest.raises(ValueError, match='"arc" or "chord"'):
        Circle([0, 1], 24, "cord")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="n_classes must be at least 1, got 0"):
        Circle.regular(0)


def test_costs_may_be_asymmetric_if_asked():
    prices = [[0, 1], [5, 0]]
    with pytest.raises(ValueError, match="asymmetric=True"):
        Costs(prices)
    on = Costs(prices, asymmetric=True)
    assert on.negative_type == "no"
    assert on.cost_to(torch.tensor(0)).tolist() == [0, 5]  # predicted 1, true 0
    assert on.normalized().cost.tolist() == [[0, 0.2], [1, 0]]
    assert repr(on) == "Costs(2 classes, distances 1 to 5, asymmetric)"


def test_costs_from_features_are_euclidean_distances():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 3)) * 1e-3 + 1e3  # near one another, far from zero
    expected = np.linalg.norm(x[:, None] - x[None], axis=-1)
    assert_close(Costs.from_features(x).cost.numpy(), expected)
    with pytest.raises(ValueError, match="one row of numbers for each class"):
        Costs.from_features([1.0, 2.0])


@every_ground
def test_grounds_are_frozen(ground):
    with pytest.raises(AttributeError):
        ground(3).n_classes = 4


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
    with pytest.raises(ValueError, match="n_classes must be at least 1, got 0"):
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
    assert repr(Circle([3], 7)) == "Circle(1 class on a period of 7, arc)"
    assert repr(chord(4)) == "Circle(4 classes on a period of 3.5, chord)"
    assert repr(Tree([-1])) == "Tree(1 class)"
    star = "Tree(2 classes, 1 inner node, largest distance 2)"
    assert repr(Tree([-1, 0, 0])) == star


@pytest.mark.parametrize("lengths", [(0.1, 0.7), (0.1, 0.2, 0.3, 0.6, 0.7), (1 / 3,)])
def test_a_class_is_at_distance_zero_from_itself_to_the_last_bit(lengths):
    """Sums of such lengths differ in their last digit by the order of addition."""
    for depth in range(1, 6):
        # A chain of nodes with two leaves each, on edges of these lengths in turn.
        inner = [k - 1 for k in range(depth)]
        parents = [*inner, *(k for k in range(depth) for _ in range(2))]
        along = [lengths[k % len(lengths)] for k in range(len(parents))]
        cost = Tree(parents, along).cost
        assert torch.equal(cost.diagonal(), torch.zeros(len(cost)).double())
        Costs(cost)  # accepts it


def test_paths_with_dots_are_a_tree_as_those_with_slashes():
    """The names of the 20 newsgroups, for one, are such paths."""
    dots = ["comp.graphics", "comp.os.windows", "sci.med", "sci.space"]
    slashes = [path.replace(".", "/") for path in dots]
    assert torch.equal(Tree.from_paths(dots).cost, Tree.from_paths(slashes).cost)
    assert Tree.from_paths(dots).cost[2].tolist() == [4, 5, 0, 2]
    # A dot in a name that has slashes is part of the name.
    assert Tree.from_paths(["dog/St. Bernard", "dog/pug"]).cost[0, 1] == 2
    colons = [path.replace(".", "::") for path in dots]
    assert torch.equal(
        Tree.from_paths(colons, separator="::").cost, Tree.from_paths(dots).cost
    )


@pytest.mark.parametrize(
    ("paths", "error", "message"),
    [
        ("animal/dog", TypeError, "list of strings"),
        ({"animal": ["dog", "cat"]}, TypeError, "mapping"),
        ([1, 2], TypeError, "list of strings"),
        (["/animal/dog", "/animal/cat"], ValueError, "is empty"),
        (["animal/dog/", "animal/cat"], ValueError, "is empty"),
        (["animal//dog", "animal/cat"], ValueError, "is empty"),
        (["animal/ dog", "animal/cat"], ValueError, "blanks"),
        (["animal/dog", "Animal/cat"], ValueError, "spelled alike"),
        (["animal/dog", "animal/Dog"], ValueError, "spelled alike"),
    ],
)
def test_odd_paths_are_refused(paths, error, message):
    with pytest.raises(error, match=message):
        Tree.from_paths(paths)


PATHS = ["plant/tree/oak", "animal/dog", "plant/moss", "animal/cat"]


def test_a_tree_keeps_its_names_and_sums_a_branch():
    on = Tree.from_paths(PATHS)
    assert on.leaves == tuple(PATHS)
    assert on.branches == ("animal", "plant", "plant/tree")
    assert on.classes_of("plant") == [0, 2]
    assert on.classes_of("") == [0, 1, 2, 3]  # the root
    probs = torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    for name, expected in {"plant": 0.4, "plant/tree": 0.1, "animal/cat": 0.4}.items():
        assert on.mass(probs, name).tolist() == pytest.approx([expected])
    bare = Tree(on.parents, on.lengths)
    assert bare.leaves == bare.branches == ()
    assert bare != on
    assert torch.equal(bare.cost, on.cost)


def test_names_live_in_a_configuration_and_through_normalizing():
    on = Tree.from_paths(PATHS, lengths={"plant": 3})
    again = Tree.from_dict(json.loads(json.dumps(on.to_dict())))
    assert again == on
    assert hash(again) == hash(on)
    assert on.normalized().leaves == on.leaves
    earlier = {k: v for k, v in on.to_dict().items() if k != "names"}
    assert Tree.from_dict(earlier).leaves == ()


def test_lengths_by_level_and_by_name():
    by_level = Tree.from_paths(PATHS, lengths=[10, 2, 1])
    assert by_level.cost[0].tolist() == [0, 25, 5, 25]
    by_name = Tree.from_paths(PATHS, lengths={"plant/tree": 7, "animal/dog": 0.5})
    assert by_name.cost[0].tolist() == [0, 10.5, 9, 11]


def test_a_tree_is_put_in_the_order_of_the_codes():
    on = Tree.from_paths(PATHS, lengths=[10, 2, 1])
    codes = sorted(PATHS)
    ordered = on.ordered(codes)
    assert ordered.leaves == tuple(codes)
    place = [PATHS.index(name) for name in codes]
    assert torch.equal(ordered.cost, on.cost[place][:, place])
    assert ordered.cost.ne(on.cost).any()
    assert on.ordered(PATHS).leaves == on.leaves
    assert ordered == ordered.ordered(codes)
    assert Tree.from_paths(["one"]).ordered(["one"]).n_classes == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda on: on.mass(torch.ones(4) / 4, "fungus"), "got 'fungus'; there are"),
        (lambda on: on.mass(torch.ones(3) / 3, "plant"), "4 classes on the last axis"),
        (lambda on: Tree(on.parents).mass(torch.ones(4), "plant"), "have no names"),
        (lambda on: Tree(on.parents).ordered(PATHS), "must have names"),
        (lambda on: on.ordered(PATHS[:3]), "there is no 'animal/cat'"),
        (lambda on: on.ordered([*PATHS[:3], "x"]), "'x' is no class"),
        (lambda on: on.ordered([*PATHS, PATHS[0]]), "each of them once"),
        (lambda on: Tree(on.parents, names=["a"]), "one for each of 8 nodes"),
        (lambda on: Tree([1, -1], names=["a", "a"]), "'a' comes twice"),
        (lambda on: Tree.from_paths(PATHS, lengths=[1, 2]), "each of 3 levels"),
        (lambda on: Tree.from_paths(PATHS, lengths={"moss": 1}), "one for 'moss'"),
        (lambda on: Tree.from_paths(PATHS, lengths=[1, -1, 1]), "not negative"),
    ],
)
def test_what_a_tree_by_names_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make(Tree.from_paths(PATHS))


def test_a_message_names_six_and_says_that_there_are_more():
    assert _some(list("abcdef")) == "'a', 'b', 'c', 'd', 'e', 'f'"
    assert _some(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e', 'f', ..."
