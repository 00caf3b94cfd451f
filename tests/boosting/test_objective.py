"""Every loss on every ground in every basis: derivatives, bounds, both forms."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from offby import Bins, Circle, Costs, Line, Tree, losses
from offby.boosting import Objective, Target, bind, objective
from offby.kernels import boosting as kernel
from offby.kernels import using

K, ROWS = 6, 7
RNG = np.random.default_rng(0)
GROUNDS: dict[str, Any] = {
    "line": Line(np.cumsum(RNG.uniform(0.5, 2, K))),
    "arc": Circle(np.sort(RNG.uniform(0, 10, K)), 10),
    "chord": Circle(np.sort(RNG.uniform(0, 10, K)), 10, "chord"),
    "tree": Tree.from_paths(["a/x", "a/y", "b/z", "b/w/q", "b/w/r", "c"]),
    "costs": Costs.from_features(RNG.normal(size=(K, 2))),
}
BINS = Bins(np.cumsum(RNG.uniform(0.5, 2, K + 1)))
GROUNDS |= {"bins": BINS, "tails": Bins(BINS.edges, tails="half-normal")}
LOSSES = {
    "line": ("ce", "emd2", "cce", "ce+0.3*emd2", "ce+cce"),
    "arc": ("emd2", "ce+emd2"),
    "chord": ("emd2", "ce+emd2"),
    "tree": ("emd2", "cce", "ce+emd2"),
    "costs": ("emd2", "ce+emd2"),
    "bins": ("crps", "nll", "ce+crps", "crps+cce"),
    "tails": ("crps", "nll", "crps+emd2"),
}
BASES = ("identity", "cosines-3", "location-scale-2")
KINDS = ("gauss-newton", "gershgorin", "variance")
FORMS: Any = (("f8", "F", 1e-9), ("f4", "F", 2e-4), ("f4", "C", 2e-4))
CASES = [
    pytest.param(ground, loss, basis, id=f"{loss}-{ground}-{basis}")
    for ground, names in LOSSES.items()
    for loss in names
    for basis in BASES
]


def case(ground: str, loss: str, basis: str, kind: Any = "gauss-newton"):
    """An objective, raw outputs and a target, some of it beyond the bins."""
    rng = np.random.default_rng(1)
    where, numbers = GROUNDS[ground], ground in ("bins", "tails")
    made = objective(loss, where, basis=basis, curvature=kind)
    target = rng.integers(0, K, ROWS)
    if numbers:
        low, high = BINS.edges[[0, -1]].tolist()
        target = rng.uniform(low - 1, high + 1, ROWS)
    made = made.starting_at(rng.permutation(np.resize(target, 40)))
    return made, rng.normal(size=(ROWS, made.n_outputs)), target


def in_numpy(made: Objective, raw, target, weight=None):
    with using("torch"):
        return made.gradient_and_curvature(raw, target, weight)


@pytest.mark.parametrize(("ground", "loss", "basis"), CASES)
def test_the_gradient_is_that_of_the_loss(ground, loss, basis):
    made, raw, target = case(ground, loss, basis)
    gradient, _ = in_numpy(made, raw, target)
    with using("torch"):
        for j, step in enumerate(1e-6 * np.eye(made.n_outputs)):
            rise = made.loss(raw + step, target) - made.loss(raw - step, target)
            np.testing.assert_allclose(gradient[:, j], rise / 2e-6, atol=1e-7)


@pytest.mark.parametrize(("ground", "loss", "basis"), CASES)
def test_the_loss_is_that_of_offby(ground, loss, basis):
    made, raw, target = case(ground, loss, basis)
    where, truth = GROUNDS[ground], torch.tensor(target)
    z = torch.tensor(np.log(made.probabilities(raw)))
    line, index, inside = made.ground, truth, truth
    if isinstance(where, Bins):
        index = where.index(truth)
        low, high = where.edges[[0, -1]].tolist()
        if where.tails == "none":
            inside = truth.clamp(low, high)
    terms = {
        "ce": lambda: losses.cross_entropy(z, index),
        "emd2": lambda: losses.squared_emd(z, index, line),
        "cce": lambda: losses.cumulative_cross_entropy(z, index, line),
        "crps": lambda: losses.histogram_crps(z, truth, where) * unit(made),
        "nll": lambda: losses.histogram_nll(z, inside, where),
    }
    expected = sum(times * terms[each.name]() for times, each in made.named.terms)
    with using("torch"):
        np.testing.assert_allclose(made.loss(raw, target), expected, atol=1e-10)


def unit(made: Objective) -> float:
    """Of the line, in units of the target."""
    centers = made.bins.centers  # pyright: ignore[reportOptionalMemberAccess]
    return (K - 1) / float(centers[-1] - centers[0])


@pytest.mark.parametrize(("ground", "loss", "basis"), CASES)
def test_the_bounds_majorize_gauss_newton(ground, loss, basis):
    """M by its definition: the Jacobian of the masses around a Hessian by masses."""
    made, raw, target = case(ground, loss, basis)
    diagonal = in_numpy(made, raw, target)[1]
    matrices = gauss_newton(made, raw)
    np.testing.assert_allclose(
        diagonal, np.maximum(matrices.diagonal(0, 1, 2), made._floor), rtol=1e-5
    )
    majorant = in_numpy(case(ground, loss, basis, "gershgorin")[0], raw, target)[1]
    bound = in_numpy(case(ground, loss, basis, "variance")[0], raw, target)[1]
    assert (bound >= diagonal * (1 - 1e-9)).all()
    for most, matrix in zip(majorant, matrices, strict=True):
        assert np.linalg.eigvalsh(np.diag(most) - matrix).min() > -1e-9 * most.max()


def gauss_newton(made: Objective, raw: np.ndarray) -> np.ndarray:
    """From numbers alone: masses by finite differences, Hessians of the formulas."""
    p = made.probabilities(raw)
    J = np.stack(
        [
            (made.probabilities(raw + step) - made.probabilities(raw - step)) / 2e-5
            for step in 1e-5 * np.eye(made.n_outputs)
        ],
        1,
    )
    cost = -made.ground.cost.numpy()  # squared EMD is -d'Dd/2: its Hessian is -D
    found = np.zeros((ROWS, made.n_outputs, made.n_outputs))
    for times, each in made.named.terms:
        for i in range(ROWS):
            match each.name:
                case "ce" | "nll":
                    H = np.diag(1 / p[i])
                case "emd2":
                    H = cost
                case "cce":
                    H = logs(made, p[i])
                case _:
                    H = crps_hessian(made)
            found[i] += times * J[i] @ H @ J[i].T
    return found


def logs(made: Objective, p: np.ndarray) -> np.ndarray:
    terms = made.terms
    rank = np.argsort(terms.order)
    runs = (terms.start[:, None] <= rank) & (rank < terms.end[:, None])
    inside = runs @ p
    weights = terms.logs / (inside * (1 - inside))
    return (runs.T * weights) @ runs


def crps_hessian(made: Objective) -> np.ndarray:
    return histogram_hessian(made.bins) * unit(made)


@cache
def histogram_hessian(bins: Bins) -> np.ndarray:
    """Second differences of the score in the masses; exact, for it is a square."""
    y = bins.centers[2:3]
    p = torch.full((K,), 1 / K, dtype=torch.float64)

    def score(change):
        z = (p + torch.tensor(change)).log()
        # Of masses whose sum is not 1 the softmax would make others.
        assert abs(change.sum()) < 1e-12
        return float(losses.histogram_crps(z[None], y, bins))

    # Directions that sum to 0: class j against the last.
    step = 1e-3 * (np.eye(K)[:-1] - np.eye(K)[-1])
    H = np.zeros((K, K))
    for a in range(K - 1):
        for b in range(K - 1):
            H[a, b] = (
                score(step[a] + step[b])
                - score(step[a] - step[b])
                - score(step[b] - step[a])
                + score(-step[a] - step[b])
            ) / 4e-6
    return H


@pytest.mark.skipif(not kernel.available(), reason="no C++ library")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ground", "loss", "basis"), CASES)
def test_both_forms_agree(ground, loss, basis, kind):
    made, raw, target = case(ground, loss, basis, kind)
    weight = np.random.default_rng(2).uniform(0, 2, ROWS)
    plain = *in_numpy(made, raw, target, weight), made.loss(raw, target)
    for dtype, order, rtol in FORMS:
        given = raw.astype(dtype, order=order)
        fast = (
            *made.gradient_and_curvature(given, target, weight),
            made.loss(given, target),
        )
        assert fast[0].dtype == fast[1].dtype == dtype
        for one, other in zip(fast, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol, rtol * np.abs(other).max())


@pytest.mark.skipif(not kernel.available(), reason="no C++ library")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("loss", ["ce", "cce", "emd2"])
@pytest.mark.parametrize("basis", BASES)
def test_far_outputs_are_finite_and_as_in_logarithms(basis, loss, dtype):
    made, raw, target = case("line", loss, basis)
    raw = (raw * 60).astype(dtype)
    with using("torch"):
        plain = *made.gradient_and_curvature(raw, target), made.loss(raw, target)
    fast = *made.gradient_and_curvature(raw, target), made.loss(raw, target)
    for one, other in zip(fast, plain, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, 1e-3, 1e-4 * np.abs(other).max())


def test_a_row_has_the_same_bits_whatever_its_company():
    made, raw, target = case("line", "ce+emd2", "location-scale-2")
    for dtype in ("f4", "f8"):
        given = raw.astype(dtype)
        whole = made.gradient_and_curvature(given, target)
        for i in range(ROWS):
            alone = made.gradient_and_curvature(given[i : i + 1], target[i : i + 1])
            for one, other in zip(alone, whole, strict=True):
                np.testing.assert_array_equal(one[0], other[i])


@pytest.mark.parametrize("far", [1, 60])
@pytest.mark.parametrize(
    ("ground", "loss", "basis"),
    [
        ("line", "ce+cce", "location-scale-2"),
        ("arc", "emd2", "cosines-3"),
        ("chord", "ce+emd2", "identity"),
        ("tails", "crps", "location-scale-2"),
        ("bins", "nll", "location-scale-2"),
    ],
)
def test_bound_rows_are_as_any_in_their_units(ground, loss, basis, far):
    made, raw, target = case(ground, loss, basis)
    weight = np.array([2.0, 0, 1, 1, 0, 3, 0.5])
    scale = np.linspace(0.5, 2, made.n_outputs)
    with using("torch"):
        slopes, curved = made.gradient_and_curvature(raw * far * scale, target, weight)
        total = made.loss(raw * far * scale, target, weight).sum()
        alone = bind(made, target, weight, scale=scale).loss(raw * far)
    assert alone == pytest.approx(total, rel=1e-5)
    rows = bind(made, target, weight, scale=scale)
    for _ in range(2):  # The memory of a call before leaves no trace.
        rows.gradient_and_curvature(raw[::-1])
        rows.loss(raw[::-1])
        found = rows.gradient_and_curvature(raw * far)
        for one, whole in zip(found, (slopes * scale, curved * scale**2), strict=True):
            np.testing.assert_allclose(one, whole, 2e-3, 2e-4 * np.abs(whole).max())
        assert rows.loss(raw * far) == pytest.approx(total, rel=1e-4)
    with pytest.raises(ValueError, match="7 bound rows"):
        rows.loss(raw[:3])


def test_weights_multiply_and_raw_zero_is_the_frequencies():
    y = np.array([0, 1, 1, 2, 3, 3, 3, 3])
    plain = objective("ce+emd2", 4)
    weighed = objective("ce+emd2", 4, class_weight=[1, 2, 0, 3])
    raw = np.random.default_rng(0).normal(size=(8, plain.n_outputs))
    own = np.arange(8.0)
    one = plain.gradient_and_curvature(raw, y, own * np.array([1, 2, 0, 3])[y])
    other = weighed.gradient_and_curvature(raw, y, own)
    np.testing.assert_array_equal(one, other)
    started = plain.starting_at(y, own)
    none = started.probabilities(np.zeros((1, plain.n_outputs)))
    counts = np.bincount(y, own) + own[own > 0].mean() / 4
    np.testing.assert_allclose(none[0], counts / counts.sum())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("emd1", 4), "proper loss with a positive curvature"),
        (("crps", 4), "give the bins"),
        (("cce", GROUNDS["arc"]), "use emd2"),
        (("crps", Bins.periodic(0, 24, 4)), "use emd2"),
        (("emd2", Costs([[0, 1], [2, 0]], asymmetric=True)), "symmetric"),
        (("ce", 1), "at least two classes"),
    ],
)
def test_what_cannot_be_boosted_is_said(arguments, says):
    with pytest.raises(ValueError, match=says):
        objective(*arguments)


def test_wrong_settings_rows_and_targets_are_said():
    settings: tuple[tuple[dict[str, Any], str], ...] = (
        ({"basis": "waves"}, "basis must be"),
        ({"curvature": "abs"}, "curvature must be one of"),
        ({"class_weight": [1, 2]}, "class_weight must hold"),
    )
    for setting, says in settings:
        with pytest.raises(ValueError, match=says):
            objective("ce", 4, **setting)
    made = objective("ce", 4, basis="identity")
    raw = np.zeros((2, 4))
    with pytest.raises(ValueError, match="classes 0 to 3, got 4"):
        made.loss(raw, [0, 4])
    with pytest.raises(ValueError, match=r"finite numbers"):
        objective("crps", BINS).prepared([1.0, np.nan])
    with pytest.raises(ValueError, match="4 outputs"):
        made.probabilities(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="same rows"):
        made.loss(raw, [0])
    with pytest.raises(ValueError, match="sample_weight"):
        made.loss(raw, [0, 1], [-1, 1])


def test_classes_in_place_of_numbers_are_refused_before_the_kernel_reads_them():
    bins = Bins.uniform(0, 1, 6)
    learned = objective("crps", bins)
    classes = objective("emd2", Line.regular(6)).prepared(np.arange(6))
    raw = np.zeros((6, learned.n_outputs))
    for ask in (learned.loss, learned.gradient_and_curvature):
        with pytest.raises(ValueError, match="must hold numbers"):
            ask(raw, classes)


@pytest.mark.skipif(not kernel.available(), reason="no C++ library")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("odd", [-1, K, 2**62, -(2**63)])
def test_the_kernel_itself_refuses_classes_that_are_not_there(odd, dtype):
    made, raw, _ = case("line", "ce+emd2", "location-scale-2")
    index = np.array([0, 1, 2, odd, 4, 5, 0])
    given = raw.astype(dtype)
    for ask in (kernel.loss, kernel.gradient_and_curvature):
        more: Any = () if ask is kernel.loss else (None,)
        with pytest.raises(ValueError, match="another in row 3"):
            ask(made.call, given, index, None, None, *more)
    with pytest.raises(ValueError, match="prepare it with this objective"):
        made.loss(given, Target(index))


@pytest.mark.skipif(not kernel.available(), reason="no C++ library")
def test_the_kernel_itself_refuses_rows_and_numbers_that_are_not_there():
    made, raw, target = case("bins", "crps", "location-scale-2")
    known = made.prepared(target)
    with pytest.raises(ValueError, match="must hold numbers"):
        kernel.loss(made.call, raw, known.index, None, None)
    out = np.zeros(ROWS)
    truth = {"before": known.before, "after": known.after, "index": known.index}
    for rows in ([0, ROWS], [-1]):
        with pytest.raises(ValueError, match="rows to compute"):
            kernel.job_of(made.call, raw, np.array(rows), loss=out, **truth)()
    assert not out.any()


@pytest.mark.parametrize("n_waves", [1, 2, 5, 7])
def test_the_waves_of_a_circle_are_whole_turns_apart_from_each_other(n_waves):
    """Each sums to zero around the circle, and no two tell the same."""
    made = objective("emd2", Circle.regular(9), basis=f"cosines-{n_waves}")
    waves = made.basis.waves
    np.testing.assert_allclose(waves.sum(-1), 0.0, atol=1e-12)
    gram = waves @ waves.T
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-12)
    assert (np.diag(gram) > 0).all()
    # A cosine and a sine of each number of turns shrink alike.
    size = np.diag(gram)
    np.testing.assert_allclose(size[1::2], size[: len(size[1::2]) * 2 : 2])
