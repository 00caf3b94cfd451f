"""`offby.decode` beside `BinnedDistribution`, which computes in NumPy, and by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close

from offby import BinnedDistribution, Bins, Circle, Line, decode
from offby.decode import _rows
from tests.cases import circle, grid, line

GRIDS = {
    "bins": grid(7),
    "tails": Bins(grid(7).edges, tails="half-normal"),
    "lower tail": Bins(grid(7).edges, tails="lower-half-normal"),
}
every_grid = pytest.mark.parametrize("name", GRIDS)


def outputs(*batch, n=7):
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(*batch, n, generator=generator, dtype=torch.float64)


@every_grid
@pytest.mark.parametrize("of", ["logits", "probs"])
def test_agrees_with_the_binned_distribution(name, of):
    logits, bins = outputs(5, 3), GRIDS[name]
    given = logits if of == "logits" else logits.softmax(-1)
    right = BinnedDistribution.from_logits(logits, bins)
    assert_close(decode.mean(given, bins, of=of).numpy(), right.mean())
    assert_close(decode.variance(given, bins, of=of).numpy(), right.var())
    assert_close(decode.mode(given, bins, of=of).numpy(), right.mode())
    assert_close(decode.median(given, bins, of=of).numpy(), right.median())
    found = decode.quantiles(given, bins, [0.05, 0.5, 0.99], of=of)
    for k, level in enumerate((0.05, 0.5, 0.99)):
        assert_close(found[..., k].numpy(), right.ppf(level))
    for y in (-9.0, -1.0, float(bins.edges[3]), 2.345, 99.0):
        above = decode.chance_above(given, bins, y, of=of)
        assert_close(above.numpy(), 1 - right.cdf(y), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_median_of_even_masses_is_the_lower_middle_position(dtype):
    """Ten masses of 0.05 sum to a little less than a half; likewise other counts."""
    for n in range(2, 300, 2):
        even, places = torch.full((n,), 1 / n, dtype=dtype), Line.regular(n)
        assert decode.median(even, places, of="probs") == n // 2 - 1
        assert decode.median(torch.zeros(n, dtype=dtype), places) == n // 2 - 1
        both = decode.quantiles(even, places, [0.5, 1.0], of="probs")
        assert both.tolist() == [n // 2 - 1, n - 1]


@every_grid
def test_has_slopes(name):
    logits, bins = outputs(2, 3), GRIDS[name]
    for call in (
        lambda z: decode.mean(z, bins),
        lambda z: decode.variance(z, bins),
        lambda z: decode.median(z, bins),
        lambda z: decode.quantiles(z, bins, [0.1, 0.7]),
        lambda z: decode.chance_above(z, bins, 1.1),
        lambda z: decode.mean(z, bins, transform=decode.symexp),
    ):
        assert torch.autograd.gradcheck(call, logits.clone().requires_grad_())


@pytest.mark.parametrize("dim", [0, 1, 2, -2])
def test_bins_may_be_on_any_axis(dim):
    logits, bins = outputs(3, 2), grid(7)
    moved = logits.movedim(-1, dim)
    on_circle = circle(7)
    for call in (
        lambda z, d: decode.mean(z, bins, dim=d),
        lambda z, d: decode.variance(z, bins, dim=d),
        lambda z, d: decode.mode(z, bins, dim=d),
        lambda z, d: decode.quantiles(z, bins, [0.2, 0.5], dim=d),
        lambda z, d: decode.chance_above(z, bins, 1.0, dim=d),
        lambda z, d: decode.circular_mean(z, on_circle, dim=d),
    ):
        assert_close(call(moved, dim), call(logits, -1))


def test_the_level_1_is_the_end_of_the_last_bin_with_mass():
    """Also where rounding leaves the sum of many masses short of 1."""
    logits = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0))
    logits[:, 990:] = -torch.inf
    short = logits.softmax(-1).cumsum(-1)[:, -1] < 1
    assert short.any()
    bins = Bins.uniform(0, 1000, 1000)
    assert_close(decode.quantiles(logits, bins, 1.0), torch.full((50,), 990.0))
    atoms = Line(torch.arange(1000.0))
    assert_close(decode.quantiles(logits, atoms, 1.0), torch.full((50,), 989.0))


def test_atoms_lie_on_their_positions():
    p, at = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.0, 0.4]]), Line([-1, 0, 4])
    assert_close(decode.mean(p, at, of="probs"), torch.tensor([1.0, 1.0]))
    assert_close(decode.variance(p, at, of="probs"), torch.tensor([4.0, 6.0]))
    assert decode.mode(p, at, of="probs").tolist() == [0, -1]
    assert decode.median(p, at, of="probs").tolist() == [0, -1]
    assert decode.quantiles(p, at, [0.0, 0.7, 1.0], of="probs").tolist() == [
        [-1, 0, 4],
        [-1, 4, 4],
    ]
    above = decode.chance_above(p, at, torch.tensor([-0.5, 0.0]), of="probs")
    assert_close(above, torch.tensor([0.8, 0.4]))


@pytest.mark.parametrize("shift", [0.0, 1.0, 5.9])
def test_a_mean_near_the_wrap_is_near_the_wrap(shift):
    """Turning the circle turns the mean."""
    positions = torch.arange(12.0) / 2
    turned = (positions + shift) % 6
    order = turned.argsort()
    p = torch.tensor([0.6, 0.3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.1])
    found = decode.circular_mean(p[order], Circle(turned[order], 6), of="probs")
    angles = 2 * np.pi * (positions.numpy() + shift) / 6
    by_hand = np.angle((p.numpy() * np.exp(1j * angles)).sum()) * 6 / (2 * np.pi)
    apart = (float(found) - by_hand) % 6
    assert min(apart, 6 - apart) < 1e-5


def test_mean_of_the_transformed_and_not_transformed_mean():
    positions = torch.linspace(-20, 20, 41, dtype=torch.float64)
    logits = torch.randn(21, generator=torch.Generator().manual_seed(0))
    both = torch.cat([logits.flip(0)[:-1], logits])
    even = decode.mean(both, Line(positions), transform=decode.symexp)
    assert abs(even) < 1e-3  # numbers up to 5e8 cancel, and not in float32
    p = torch.zeros(41)
    p[[25, 30]] = 0.5
    found = decode.mean(p, Line(positions), transform=decode.symexp, of="probs")
    by_hand = (np.expm1(5.0) + np.expm1(10.0)) / 2
    assert float(found) == pytest.approx(by_hand)
    assert_close(decode.symlog(decode.symexp(positions)), positions)


def test_results_are_float32_for_halves_and_live_where_the_logits_are():
    logits = outputs(4).bfloat16()
    for grid_ in (*GRIDS.values(), line(7)):
        for name in ("mean", "median", "mode", "variance"):
            assert getattr(decode, name)(logits, grid_).dtype == torch.float32
    there = torch.zeros(4, 7, device="meta")
    assert decode.mean(there, line(7)).device.type == "meta"
    assert decode.variance(there, line(7)).device.type == "meta"
    assert decode.circular_mean(there, circle(7)).device.type == "meta"


CALLS = {
    "mean": lambda z, g, **of: decode.mean(z, g, **of),
    "symexp": lambda z, g, **of: decode.mean(z, g, transform=decode.symexp, **of),
    "variance": lambda z, g, **of: decode.variance(z, g, **of),
    "mode": lambda z, g, **of: decode.mode(z, g, **of),
    "median": lambda z, g, **of: decode.median(z, g, **of),
    "quantiles": lambda z, g, **of: decode.quantiles(z, g, [0.1, 0.5, 1], **of),
    "above": lambda z, g, **of: decode.chance_above(z, g, 1.0, **of),
    "circular_mean": lambda z, g, **of: decode.circular_mean(z, circle(7), **of),
}


@pytest.mark.parametrize("name", CALLS)
def test_there_need_be_no_numbers(name):
    """On the meta device, where a model is built before it is filled."""
    logits = outputs(3, 2).float()
    for on in (*GRIDS.values(), line(7)):
        expected = CALLS[name](logits, on)
        found = CALLS[name](logits.to("meta"), on)
        assert found.is_meta
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)


@pytest.mark.parametrize("name", CALLS)
def test_some_rows_at_a_time_give_what_all_at_once_give(name, monkeypatch):
    logits, call = outputs(6, 5, 4).float(), CALLS[name]
    images = logits.movedim(-1, 1).contiguous()
    for on in (grid(7), line(7)):
        if name == "circular_mean" and on != grid(7):
            continue
        monkeypatch.setattr(_rows, "_AT_ONCE", 2**18)
        expected = call(logits, on)
        monkeypatch.setattr(_rows, "_AT_ONCE", 25)
        assert_close(call(logits, on), expected)
        assert_close(call(images, on, dim=1), expected)
        assert_close(call(logits[:, 2], on), expected[:, 2])
        assert_close(call(logits[0, 0].T.contiguous().T, on), expected[0, 0])
        flat = logits.flatten(0, -2).clone().requires_grad_()
        assert_close(call(flat, on).detach(), expected.flatten(0, 2))


def test_a_threshold_of_its_own_goes_with_each_row(monkeypatch):
    logits, own = outputs(6, 5), torch.linspace(-3, 9, 30).view(6, 5)
    expected = decode.chance_above(logits, grid(7), own)
    monkeypatch.setattr(_rows, "_AT_ONCE", 25)
    assert_close(decode.chance_above(logits, grid(7), own), expected)
    images = logits.movedim(-1, 0)
    assert_close(decode.chance_above(images, grid(7), own, dim=0), expected)
    single = decode.chance_above(logits[2, 3], grid(7), own[2, 3])
    assert_close(single, expected[2, 3])


@pytest.mark.parametrize("name", CALLS)
def test_needs_little_more_memory_than_a_softmax(name):
    """Of what is beside the outputs; 1.3 million of them."""
    logits = torch.zeros(187_500, 7)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        CALLS[name](logits, grid(7))
    kineto = profiler.profiler
    assert kineto is not None
    assert kineto.kineto_results is not None
    kept: list[Any] = kineto.kineto_results.events()
    events = [event for event in kept if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    assert most < 4 * logits.numel() * 2.5


def test_the_levels_0_and_1_are_the_ends_of_what_has_mass():
    p = torch.tensor([0.0, 0.25, 0.75, 1e-9, 0.0])
    on = Bins([0, 1, 2, 4, 7, 9])
    assert decode.quantiles(p, on, [0.0, 1.0], of="probs").tolist() == [1, 7]
    atoms = Line([0, 1, 2, 4, 7])
    assert decode.quantiles(p, atoms, [0.0, 1.0], of="probs").tolist() == [1, 4]


def test_outputs_that_are_no_numbers_have_no_quantile():
    logits = torch.tensor([[0.0, torch.nan, 1.0], [0.0, 0.0, 0.0]])
    for on in (Bins.uniform(0, 3, 3), Line.regular(3)):
        found = decode.quantiles(logits, on, [0.2, 1.0])
        assert found.isnan().tolist() == [[True, True], [False, False]]


def test_quantiles_compile_whole():
    logits, on = outputs(4).float(), grid(7)
    both = torch.compile(
        lambda z: decode.quantiles(z, on, [0.1, 0.9]), fullgraph=True, backend="eager"
    )
    assert_close(both(logits), decode.quantiles(logits, on, [0.1, 0.9]))


def test_what_does_not_fit_is_refused():
    z = torch.zeros(3, 7)
    with pytest.raises(ValueError, match="must have 7 entries on axis dim=-1"):
        decode.mean(torch.zeros(3, 6), grid(7))
    with pytest.raises(TypeError, match="grid must be Bins or a Line, got list"):
        decode.mean(z, [0, 1])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="use `circular_mean`"):
        decode.mean(z, circle(7))  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="numbers on a line have a `mean`"):
        decode.circular_mean(z, line(7))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match='of must be "logits" or "probs"'):
        decode.mean(z, grid(7), of="odds")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        decode.quantiles(z, grid(7), 1.5)
    with pytest.raises(ValueError, match="one axis of numbers"):
        decode.quantiles(z, grid(7), [[0.5]])  # pyright: ignore[reportArgumentType]
