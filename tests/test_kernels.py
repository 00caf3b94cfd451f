import dataclasses
import warnings
from collections.abc import Callable
from functools import cache

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from offby import Bins, Line, kernels, losses, nn
from offby.comparison.networks import Design, Settings
from offby.kernels import _layout
from offby.kernels.cpp import _library
from offby.losses.registry import parse
from offby.tabular.data import TrainingData
from tests.cases import grid, tree, uneven
from tests.reference import exact, softmax

library = _library.load()
pytestmark = pytest.mark.skipif(isinstance(library, str), reason=str(library))


def _on_line(loss, **settings):
    return lambda z, y, impl: loss(
        z, y, Line(uneven(z.shape[-1])), impl=impl, **settings
    )


def _crps(z, y, impl):
    return _crps_on(grid(z.shape[-1]), z, y, impl)


def _crps_even(z, y, impl):
    return _crps_on(Bins.uniform(-1, 3, z.shape[-1]), z, y, impl)


def _crps_on(bins, z, y, impl):
    index = y.clamp(0, bins.n_bins - 1)
    at = index[..., None]  # under vmap a single index would be read on the host
    inside = (bins.edges[at] + 0.3 * bins.widths[at]).squeeze(-1)
    value = torch.where(y == index, inside, torch.nan)
    return losses.histogram_crps(z, value, bins, impl=impl)


def _on_tree(z, y, impl):
    return losses.squared_emd(z, y, _tree(z.shape[-1]), impl=impl)


_tree = cache(tree)
LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": losses.cross_entropy,
    "wasserstein": losses.wasserstein,
    "wasserstein-uneven": _on_line(losses.wasserstein),
    "wasserstein-p2": _on_line(losses.wasserstein, p=2),
    "wasserstein-p1.5": _on_line(losses.wasserstein, p=1.5),
    "squared_emd": losses.squared_emd,
    "squared_emd-uneven": _on_line(losses.squared_emd),
    "squared_emd-tree": _on_tree,
    "cumulative": losses.cumulative_cross_entropy,
    "cumulative-uneven": _on_line(losses.cumulative_cross_entropy),
    "histogram_crps": _crps,
    "histogram_crps-even": _crps_even,
}
LEVELS = (
    [] if isinstance(library, str) else [i for i, n in enumerate(library.levels) if n]
)
SIZES = [1, 2, 3, 10, 16, 64, 65, 101, 1030, 4099]
every_loss = pytest.mark.parametrize("name", LOSSES)


@pytest.fixture
def level(request, monkeypatch):
    """Runs the test with one instruction set."""
    assert isinstance(library, _library.Library)
    used = dataclasses.replace(library, level=request.param)
    monkeypatch.setattr(_library, "load", lambda: used)
    return request.param


every_level = pytest.mark.parametrize("level", LEVELS, indirect=True)


def batch(n, rows=37, margin=0.0, seed=0):
    """Logits; margin > 0: sure of the truth, < 0: sure of a class far from it."""
    rng = torch.Generator().manual_seed(seed + n)
    logits = 2 * torch.randn(rows, n, generator=rng, dtype=torch.float64)
    target = torch.randint(n, (rows,), generator=rng)
    sure = target if margin > 0 else (target + n // 2 + 1) % n
    logits[torch.arange(rows), sure] += abs(margin)
    return logits, target


def with_slopes(loss, logits, target, impl, weight=None):
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, target, impl=impl)
    up = torch.ones_like(value) if weight is None else weight.to(value)
    (slopes,) = torch.autograd.grad(value, logits, up)
    return value.detach(), slopes


def farthest(got: Tensor, expected: Tensor) -> float:
    """Largest error of a row, relative to the row."""
    apart = (got.double() - expected).norm(dim=-1)
    size = expected.norm(dim=-1)
    return float((apart / size.where(size > 0, 1.0)).max())


@cache
def plain(name: str, n: int, margin: float, dtype: torch.dtype):
    """Rounded logits, target, and the plain form in float64, for every level."""
    logits, target = batch(n, margin=margin)
    logits = logits.to(dtype)
    return logits, target, *with_slopes(LOSSES[name], logits.double(), target, "torch")


@every_loss
@every_level
@pytest.mark.parametrize("margin", [0, 12, -12])
@pytest.mark.parametrize(
    ("dtype", "most"),
    [(torch.float32, 5e-6), (torch.bfloat16, 8e-3), (torch.float64, 1e-7)],
    ids=["float32", "bfloat16", "float64"],
)
def test_every_row_is_near_float64(name, level, margin, dtype, most):
    for n in SIZES:
        logits, target, right, steep = plain(name, n, margin, dtype)
        value, slopes = with_slopes(LOSSES[name], logits, target, "cpp")
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        assert slopes.dtype == dtype
        # bfloat16 in, float32 inside and out: only the gradient is rounded.
        assert_close(value.double(), right, rtol=min(most, 5e-6), atol=1e-12)
        assert farthest(slopes, steep) <= most, n


@every_loss
@every_level
@pytest.mark.parametrize("side", [-1, 1])
def test_rows_sure_of_a_wrong_class_beside_which_the_rest_lies(name, level, side):
    """What slopes there are beside the mode must not drown in the way to the truth."""
    for n in (2, 3, 10, 65, 330, 4099):
        rng = torch.Generator().manual_seed(n)
        rows = torch.arange(48)
        mode = torch.randint(n, (48,), generator=rng)
        target = (mode + 1 + torch.randint(n - 1, (48,), generator=rng)) % n
        logits = torch.full((48, n), -20.0)
        beside = (mode + side).clamp(0, n - 1)
        logits[rows, beside] = -15 * torch.rand(48, generator=rng)
        logits[rows, mode] = 8.0
        value, slopes = with_slopes(LOSSES[name], logits, target, "cpp")
        right, steep = with_slopes(LOSSES[name], logits.double(), target, "cpp")
        assert_close(value.double(), right, rtol=5e-6, atol=0)
        assert farthest(slopes, steep) <= 5e-6, n


@every_loss
@every_level
def test_many_classes_and_sure_of_the_truth(name, level):
    """What little mass there is beside the truth must not be what rounding leaves."""
    logits, target = batch(4099, rows=8, margin=30)
    value, slopes = with_slopes(LOSSES[name], logits.float(), target, "cpp")
    right, steep = with_slopes(LOSSES[name], logits.float().double(), target, "cpp")
    assert_close(value.double(), right, rtol=5e-6, atol=0)
    assert farthest(slopes, steep) <= 5e-6


@pytest.mark.parametrize("margin", [0, 25])
@pytest.mark.parametrize("n", [4099, 32_000])
def test_a_long_row_in_segments_is_that_of_float64(n, margin):
    """Alone and with the cross-entropy, on even and on uneven gaps."""
    even = nn.SquaredEMDLoss(dim=-1)
    line = Line(torch.arange(n) + 0.3 * (torch.arange(n) % 3))
    apart = nn.SquaredEMDLoss(line, dim=-1)
    logits, target = batch(n, rows=6, margin=margin)
    target[:2] = torch.tensor([0, n - 1])
    for criterion in (
        even,
        apart,
        nn.MixedLoss([(1.0, nn.CrossEntropyLoss(dim=-1)), (0.5, even)]),
    ):
        found = []
        for z in (logits.float(), logits.float().double()):
            z = z.requires_grad_()
            loss = criterion(z, target)
            found.append((loss.double(), *torch.autograd.grad(loss, z)))
        (value, slopes), (right, steep) = found
        assert_close(value, right, rtol=5e-6, atol=0)
        assert farthest(slopes, steep) <= 5e-6


def test_cuts_of_little_mass_in_a_row_do_not_overflow():
    """The kernel multiplies the odds of four cuts before it takes a logarithm."""
    logits = torch.linspace(0, -60, 40).repeat(20, 1)
    target = torch.arange(20, 40)
    loss = LOSSES["cumulative"]
    value, slopes = with_slopes(loss, logits, target, "cpp")
    right, steep = with_slopes(loss, logits.double(), target, "torch")
    assert_close(value.double(), right, rtol=5e-6, atol=0)
    assert farthest(slopes, steep) <= 5e-6


def exact_slopes(name: str, z: Tensor, y: int) -> list:
    """Gradient in 200 digits: p_j (g_j - sum p g), g the slopes in the masses."""
    p, x = softmax(z), exact(uneven(len(z)))
    n = len(p)
    below = [mp.fsum(p[: k + 1]) for k in range(n - 1)]
    above = [mp.fsum(p[k + 1 :]) for k in range(n - 1)]
    match name.split("-")[0]:
        case "cross_entropy":
            g = [-1 / p[j] if j == y else mp.mpf(0) for j in range(n)]
        case "wasserstein":
            g = [abs(x[j] - x[y]) for j in range(n)]
        case "squared_emd":
            miss = [below[k] if k < y else -above[k] for k in range(n - 1)]
            g = [
                mp.fsum(2 * (x[k + 1] - x[k]) * miss[k] for k in range(j, n - 1))
                for j in range(n)
            ]
        case _:
            g = [
                -mp.fsum(
                    (x[k + 1] - x[k])
                    * ((j > k) / above[k] if k < y else (j <= k) / below[k])
                    for k in range(n - 1)
                )
                for j in range(n)
            ]
    mean = mp.fsum(a * b for a, b in zip(p, g, strict=True))
    return [float(a * (b - mean)) for a, b in zip(p, g, strict=True)]


@every_level
@pytest.mark.parametrize("margin", [-30, -300, 25, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "name",
    ["cross_entropy", "wasserstein-uneven", "squared_emd-uneven", "cumulative-uneven"],
)
def test_sure_rows_have_every_digit_of_their_gradient(name, level, margin, dtype):
    for n in (3, 20):
        logits, target = batch(n, rows=4, margin=margin)
        logits = logits.to(dtype)
        _, slopes = with_slopes(LOSSES[name], logits, target, "cpp")
        rows = zip(logits, target.tolist(), strict=True)
        expected = torch.tensor(
            [exact_slopes(name, z, y) for z, y in rows], dtype=torch.float64
        )
        # Of a gradient below the smallest number of the type nothing can be left.
        seen = expected.norm(dim=-1) > 1e6 * torch.finfo(dtype).tiny
        most = 5e-6 if dtype == torch.float32 else 1e-10
        assert not seen.any() or farthest(slopes[seen], expected[seen]) <= most
        assert (slopes[~seen].abs() <= 1e7 * torch.finfo(dtype).tiny).all()


@every_loss
@pytest.mark.parametrize("n", [10, 300])
def test_bits_do_not_depend_on_threads_or_company(name, n):
    logits, target = batch(n, rows=5000)
    logits, weight = logits.float(), torch.rand(5000)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = with_slopes(LOSSES[name], logits, target, "cpp", weight)
        torch.set_num_threads(2)
        both = with_slopes(LOSSES[name], logits, target, "cpp", weight)
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, alone, both))
    some = slice(1003, 1100)
    part = with_slopes(LOSSES[name], logits[some], target[some], "cpp", weight[some])
    assert torch.equal(part[0], both[0][some])
    assert torch.equal(part[1], both[1][some])


@every_loss
def test_whatever_scale_was_guessed_the_bits_are_the_same(name):
    logits, target = batch(10, rows=48)
    for rows in (48, 32):  # 1/32 is a power of two, 1/48 is none
        z = logits[:rows].float().requires_grad_()
        loss = LOSSES[name](z, target[:rows], impl="cpp")
        (mean,) = torch.autograd.grad(loss.mean(), z, retain_graph=True)
        up = torch.full((rows,), 1 / rows)
        up[0] = 1.0  # no longer a mean
        (other,) = torch.autograd.grad(loss, z, up)
        assert torch.equal(other[1:], mean[1:])
        fresh = LOSSES[name](z, target[:rows], impl="cpp")
        (again,) = torch.autograd.grad(fresh, z, up)
        assert torch.equal(other, again)


def layouts(n):
    """Ways for 6 x 4 rows of n classes to lie in memory."""
    numbers = torch.Generator().manual_seed(n)
    big = torch.randn(12, 8, n + 5, 9, generator=numbers)
    yield "padded rows", big[:6, :4, :n, 0].contiguous().repeat(1, 1, 2)[..., :n]
    yield "every other row", big[..., 0].contiguous()[::2, ::2, :n]
    yield "steps between classes", big[:6, :4, :n, 2]
    yield "classes on axis 0", big[:n, :6, 0, :4].movedim(0, -1) if n <= 12 else None
    yield (
        "classes on axis 1",
        big[:6, :4, :n, 3].movedim(1, -1).contiguous().movedim(-1, 1),
    )
    yield "backward", big[:6, :4, :n, 1].contiguous().flip(-1)
    yield "one row for all", big[:1, :1, :n, 1].expand(6, 4, n)
    yield "one class for all", big[:6, :4, :1, 1].expand(6, 4, n)


@every_loss
@pytest.mark.parametrize("n", [1, 5, 40])
def test_any_strides_give_the_same(name, n):
    target = torch.arange(24).view(6, 4) % n
    for what, logits in layouts(n):
        if logits is None:
            continue
        assert logits.shape == (6, 4, n)
        got = with_slopes(LOSSES[name], logits, target, "cpp")
        dense = with_slopes(LOSSES[name], logits.contiguous(), target, "cpp")
        assert_close(got, dense, rtol=1e-5, atol=1e-6, msg=what)
        z = logits.clone(memory_format=torch.preserve_format).requires_grad_()
        strange = z.as_strided(z.shape, z.stride())
        (slopes,) = torch.autograd.grad(
            LOSSES[name](strange, target, impl="cpp").sum(), z
        )
        assert slopes.shape == logits.shape


def test_classes_on_axis_1_are_not_copied():
    logits = torch.randn(3, 7, 5, 6).movedim(1, -1)
    layout = _layout.layout_of(logits)
    assert layout == _layout.Layout(3, 30, (210, 1, 30))
    _, gradient = _library.LossCall(
        (1.0, 0, 0, 0, 0, 0), torch.zeros(3, 5, 6).long()
    ).loss_and_gradient(logits, 1.0)
    assert gradient.stride() == logits.stride()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_any_integer_is_an_index(dtype):
    logits, target = batch(10)
    expected = losses.squared_emd(logits, target, impl="cpp")
    assert torch.equal(
        losses.squared_emd(logits, target.to(dtype), impl="cpp"), expected
    )


@every_loss
@pytest.mark.parametrize("n", [3, 20, 1100])
def test_an_impossible_target_gives_nan_and_spoils_no_other_row(name, n):
    logits, target = batch(n, rows=20)
    logits = logits.float()
    spoiled = target.clone()
    spoiled[::3] = torch.tensor([-1, n, -100, 2**40, n + 7, -(2**40), n])
    value, slopes = with_slopes(LOSSES[name], logits, spoiled, "cpp")
    fine, steep = with_slopes(LOSSES[name], logits, target, "cpp")
    assert value[::3].isnan().all()
    assert not slopes[::3].any()
    keep = torch.arange(20) % 3 != 0
    assert torch.equal(value[keep], fine[keep])
    assert torch.equal(slopes[keep], steep[keep])


ODD = [torch.nan, torch.inf, -torch.inf, 1e30, -1e30, 1e4, -1e4, 0.0]


@st.composite
def odd_batches(draw):
    rows, n = draw(st.integers(0, 40)), draw(st.sampled_from([1, 2, 5, 16, 17, 90]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = torch.from_numpy(rng.standard_normal((rows, n)))
    if rows:
        where = rng.random((rows, n)) < draw(st.sampled_from([0.0, 0.02, 0.5]))
        odd = torch.tensor(ODD, dtype=torch.float64)
        picked = odd[torch.from_numpy(rng.integers(0, len(ODD), (rows, n)))]
        logits = torch.where(torch.from_numpy(where), picked, logits)
    target = torch.from_numpy(rng.integers(0, n, rows))
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    return logits.to(dtype), target


@every_loss
@given(odd_batches())
def test_whatever_the_logits_it_is_the_plain_form_or_nan(name, case):
    logits, target = case
    got, slopes = with_slopes(LOSSES[name], logits, target, "cpp")
    expected, steep = with_slopes(LOSSES[name], logits, target, "torch")
    # Without masses (a NaN, an infinity, or nothing possible) there is no loss.
    masses = logits.double().softmax(-1).isfinite().all(-1)
    assert got[~masses].isnan().all() or logits.shape[-1] == 1
    assert slopes[~masses].isnan().all()
    assert_close(got[masses], expected[masses], rtol=1e-4, atol=1e-4)
    # Where the loss is infinite the plain form may have no slope.
    right = masses & got.isfinite() & steep.isfinite().all(-1)
    assert_close(slopes[right], steep[right], rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("impl", ["torch", "cpp"])
def test_the_environment_and_a_context_choose(monkeypatch, impl):
    called = []
    run = _library.LossCall.loss
    monkeypatch.setattr(
        _library.LossCall, "loss", lambda *a: called.append(1) or run(*a)
    )
    logits, target = batch(5)
    monkeypatch.setenv("OFFBY_KERNELS", impl)
    losses.squared_emd(logits, target)
    assert bool(called) == (impl == "cpp")
    other = "cpp" if impl == "torch" else "torch"
    called.clear()
    with kernels.using(other):
        losses.squared_emd(logits, target)
    assert bool(called) == (other == "cpp")
    called.clear()
    with kernels.using(other):
        losses.squared_emd(logits, target, impl=impl)
    assert bool(called) == (impl == "cpp")


def test_an_unknown_form_is_refused(monkeypatch):
    logits, target = batch(5)
    with pytest.raises(ValueError, match="impl must be one of auto, torch, cpp, tri"):
        losses.squared_emd(logits, target, impl="fast")  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv("OFFBY_KERNELS", "fast")
    with pytest.raises(ValueError, match="OFFBY_KERNELS must be one of auto"):
        losses.squared_emd(logits, target)


def test_a_named_kernel_never_falls_back():
    logits, target = batch(5)
    soft = logits.softmax(-1)
    for call, why in (
        (lambda: losses.wasserstein(logits, target, tree(5), impl="cpp"), "on a tree"),
        (lambda: losses.squared_emd(logits, soft, impl="cpp"), "class indices"),
        (lambda: losses.cross_entropy(logits.half(), target, impl="cpp"), "float16"),
        (lambda: losses.cross_entropy(logits, target, impl="triton"), "on cuda"),
    ):
        with pytest.raises(RuntimeError, match=f"cannot run here: .*{why}"):
            call()


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 0.0, 0.5, 1.0])])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_sum_is_computed_in_one_pass(monkeypatch, weight, reduction):
    runs = []
    run = _library.LossCall.loss_and_gradient
    monkeypatch.setattr(
        _library.LossCall,
        "loss_and_gradient",
        lambda *a: runs.append(a[0].factors) or run(*a),
    )
    line = Line(uneven(5))
    settings = {"weight": weight, "reduction": reduction}
    mixed = nn.MixedLoss(
        [
            (1.0, nn.CrossEntropyLoss(**settings)),
            (0.5, nn.SquaredEMDLoss(line, **settings)),
            (2.0, nn.WassersteinLoss(line, p=2, **settings)),
        ]
    )
    logits, target = batch(5)
    target[:3] = -100
    got = _slopes_of(mixed, logits, target)
    assert runs == [(1.0, 2.0, 0.5, 0.0, 0.0, 0.0)]
    with kernels.using("torch"):
        expected = _slopes_of(mixed, logits, target)
    assert len(runs) == 1
    assert_close(got, expected)


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 0.0, 0.5, 1.0])])
@pytest.mark.parametrize("ignored", [0, 3])
def test_weighed_and_ignored_rows_run_in_the_kernels(monkeypatch, weight, ignored):
    runs = []
    run = _library.LossCall.loss_and_gradient
    monkeypatch.setattr(
        _library.LossCall,
        "loss_and_gradient",
        lambda *a: runs.append(a[0].factors) or run(*a),
    )
    logits, target = batch(5)
    target[:ignored] = -100
    criteria = [
        nn.CrossEntropyLoss(weight=weight),
        nn.WassersteinLoss(weight=weight),
        nn.SquaredEMDLoss(Line(uneven(5)), weight=weight),
        nn.SquaredEMDLoss(tree(5), weight=weight),
        nn.CumulativeCrossEntropyLoss(weight=weight),
    ]
    for number, criterion in enumerate(criteria):
        got = _slopes_of(criterion, logits, target)
        assert len(runs) == number + 1
        with kernels.using("torch"):
            assert_close(got, _slopes_of(criterion, logits, target))


def _slopes_of(criterion, logits, target):
    logits = logits.clone().requires_grad_()
    value = criterion(logits, target)
    return value.detach(), *torch.autograd.grad(value.sum(), logits)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.SquaredEMDLoss(Line.regular(5)), "logits must have 5 classes"),
    ],
)
def test_a_sum_refuses_what_its_terms_refuse(other, message):
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, other)])
    with pytest.raises(ValueError, match=message):
        mixed(torch.zeros(2, 7), torch.tensor([0, 6]))


def test_terms_that_disagree_are_computed_one_by_one():
    one, other = nn.SquaredEMDLoss(Line([0, 1, 5])), nn.WassersteinLoss(Line([0, 2, 3]))
    logits, target = batch(3)
    mixed = nn.MixedLoss([(1.0, one), (1.0, other)])
    expected = one(logits, target) + other(logits, target)
    assert_close(mixed(logits, target), expected)


def test_named_sums_agree_with_the_plain_form(monkeypatch):
    from offby.losses.registry import Labels

    logits, target = batch(6)
    labels = Labels(target, Line(uneven(6)))
    got = parse("ce+0.3*emd2+cce").rows(logits, labels)
    monkeypatch.setenv("OFFBY_KERNELS", "torch")
    assert_close(got, parse("ce+0.3*emd2+cce").rows(logits, labels))


@pytest.mark.parametrize("name", ["ce", "emd1", "emd2", "cce", "ce+emd2"])
def test_training_ends_at_the_same_scores_with_kernels_on_or_off(monkeypatch, name):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(200, 4, generator=generator)
    index = (inputs @ torch.tensor([1.0, -1.0, 0.5, 0.0])).mul(1.5).round().long()
    index = index.clamp(-3, 3) + 3
    data = TrainingData(inputs, index, None, Line.regular(7), None)
    design = Design("perceptron", Settings(max_iter=15, hidden_layer_sizes=(16,)))
    scores = []
    for impl in ("cpp", "torch"):
        monkeypatch.setenv("OFFBY_KERNELS", "auto" if impl == "cpp" else "torch")
        run = design.run(data, seed=0)
        (trained,) = design.fit([run], parse(name))
        scores.append(trained.history.best_score)
    # 15 epochs multiply a difference of one rounding, 1e-7, by far less than 1e4.
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)


@pytest.mark.slow
def test_a_classifier_of_wine_predicts_the_same_with_kernels_on_or_off(monkeypatch):
    from offby import OrdinalClassifier
    from offby.datasets import load

    rows = np.genfromtxt(load("wine-red"), delimiter=",", skip_header=1)
    X, y = rows[:300, :-1], rows[:300, -1].astype(int)
    found = []
    for impl in ("auto", "torch"):
        monkeypatch.setenv("OFFBY_KERNELS", impl)
        model = OrdinalClassifier(
            "ce+emd2",
            hidden_layer_sizes=(16,),
            n_members=2,
            n_bags=1,
            max_iter=5,
            random_state=0,
        )
        found.append(model.fit(X, y).predict_proba(X))
    assert np.abs(found[0] - found[1]).max() <= 1e-3


def reloaded(monkeypatch, file):
    monkeypatch.setattr(_library, "FILE", file)
    _library.load.cache_clear()


@pytest.fixture
def _library_again():
    yield
    _library.load.cache_clear()


@pytest.mark.usefixtures("_library_again")
def test_a_library_that_does_not_load_warns_once_and_falls_back(monkeypatch, tmp_path):
    broken = tmp_path / "offby_kernels.so"
    broken.write_bytes(b"\x7fELF of another machine")
    reloaded(monkeypatch, broken)
    logits, target = batch(5)
    with pytest.warns(RuntimeWarning, match="does not load"):
        got = losses.squared_emd(logits, target)
    assert_close(got, losses.squared_emd(logits, target, impl="torch"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.squared_emd(logits, target)
    with pytest.raises(RuntimeError, match="does not load"):
        losses.squared_emd(logits, target, impl="cpp")
    assert not kernels.diagnosis()[1].runs


@pytest.mark.usefixtures("_library_again")
def test_a_library_without_our_functions_falls_back(monkeypatch):
    import ctypes.util

    other = ctypes.util.find_library("m")
    if other is None:
        pytest.skip("no other library at hand")
    monkeypatch.setattr(_library.Path, "exists", lambda self: True)
    reloaded(monkeypatch, other)
    monkeypatch.setattr(_library, "FILE", _library.Path(other))
    with pytest.warns(RuntimeWarning, match="does not load"):
        assert isinstance(_library.load(), str)


@pytest.mark.usefixtures("_library_again")
def test_a_library_that_was_not_built_is_no_reason_to_warn(monkeypatch, tmp_path):
    reloaded(monkeypatch, tmp_path / "offby_kernels.so")
    logits, target = batch(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.squared_emd(logits, target)
    assert "was not built" in kernels.diagnosis()[1].says


def test_bins_and_values_on_the_edges():
    bins = Bins([0.0, 1.0, 3.0, 4.0])
    value = torch.tensor([-5.0, 0.0, 0.5, 1.0, 3.0, 4.0, 9.0])
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    got = losses.histogram_crps(logits, value, bins, impl="cpp")
    assert_close(got, losses.histogram_crps(logits, value, bins, impl="torch"))


@pytest.mark.parametrize("n", [5, 12, 40])
def test_a_light_side_and_a_wide_gap_do_not_overflow(n):
    """Odds of 1e30 times a gap of 1e10 are beyond float32."""
    rng = np.random.default_rng(n)
    for _ in range(100):
        gaps = 10 ** rng.uniform(0, rng.uniform(0, 12), n - 1)
        on = Line(np.concatenate([[0], gaps.cumsum()]))
        logits = torch.from_numpy(rng.normal(size=(1, n))).float()
        logits[0, rng.integers(n)] += rng.uniform(55, 105)
        target = torch.from_numpy(rng.integers(n, size=1))
        found = []
        for z in (logits, logits.double()):
            z = z.clone().requires_grad_()
            # float64 has room for both.
            loss = losses.cumulative_cross_entropy(z, target, on, impl="cpp")
            (slopes,) = torch.autograd.grad(loss.sum(), z)
            found.append((loss.detach().double(), slopes.double()))
        (value, slopes), (right, steep) = found
        if steep.norm() < 1e-30:  # float32 has no digits there
            continue
        assert_close(value, right, rtol=1e-5, atol=0)
        # Gaps that differ by 1e12 cost three digits of the slopes, not all of them.
        assert (slopes - steep).norm() <= 5e-3 * steep.norm()


def test_one_row_whose_classes_are_not_side_by_side():
    logits, target = batch(7, rows=3)
    turned = logits.T.contiguous()  # classes x rows
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        z = turned.to(dtype)
        for name in ("squared_emd", "cross_entropy"):
            got = LOSSES[name](z[:, 1], target[1], impl="cpp")
            dense = LOSSES[name](z[:, 1].contiguous(), target[1], impl="cpp")
            assert torch.equal(got, dense)


def test_two_powers_of_the_distance_are_no_one_sum():
    """A kernel has one power for all its terms."""
    logits, target = batch(6, rows=5)
    on = Line(uneven(6))
    terms = [kernels.Term("wasserstein", on, power=p) for p in (1.0, 2.0)]
    why = kernels.unsupported_reason("cpp", logits, target, terms)
    assert "one ground and one power" in why
    mixed = nn.MixedLoss(
        [(1.0, nn.WassersteinLoss(on)), (1.0, nn.WassersteinLoss(on, p=2))]
    )
    rows = losses.wasserstein(logits, target, on, impl="torch")
    rows = rows + losses.wasserstein(logits, target, on, p=2, impl="torch")
    assert_close(mixed(logits, target), rows.mean())
