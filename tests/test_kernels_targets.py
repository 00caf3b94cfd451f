"""Soft targets in C++ against their plain form and float64."""

import dataclasses

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from offby import Bins, kernels
from offby.kernels import targets as fast
from offby.kernels.cpp import _library
from offby.targets import hl_gauss, two_hot

library = _library.load()
if isinstance(library, str):
    pytest.skip(library, allow_module_level=True)

GRIDS = {
    "even": Bins.uniform(-3, 5, 40),
    "uneven": Bins.log(1, 900, 23),
    "one": Bins([2, 3]),
    "two": Bins([-1, 0, 7]),
    "circle": Bins.periodic(0, 24, 31),
    "uneven circle": Bins([-2, -1.5, 0, 0.25, 3, 6], wraps=True),
    "circle of one": Bins.periodic(0, 5, 1),
    "far away": Bins.uniform(1e6, 1e6 + 4, 30),
}
SIGMAS = {"own": None, "narrow": 0.02, "of a bin": 0.3, "wide": 60.0, "each": "each"}


@pytest.fixture(params=[i for i, name in enumerate(library.levels) if name])
def _level(request, monkeypatch):
    """Runs the test with one instruction set."""
    assert isinstance(library, _library.Library)
    used = dataclasses.replace(library, level=request.param)
    monkeypatch.setattr(_library, "load", lambda: used)


def numbers_on(bins: Bins) -> torch.Tensor:
    """Numbers in, on the edges of, around and far from a grid, and none."""
    rng = torch.Generator().manual_seed(bins.n_bins)
    turn = bins.edges[-1] - bins.edges[0]
    inside = bins.edges[0] + turn * torch.rand(60, generator=rng, dtype=torch.float64)
    odd = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30, -1e30])
    around = inside[:9] + 3 * turn
    return torch.cat([inside, around, bins.edges, bins.centers, odd]).float()


def errors(found, plain, exact):
    """Largest errors of both, and whether NaN are where they must be."""
    assert found.dtype == plain.dtype == torch.float32
    assert torch.equal(found.isnan(), exact.isnan())
    numbers = ~exact.isnan()
    return [
        float((rows.double() - exact)[numbers].abs().max()) for rows in (found, plain)
    ]


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_hl_gauss_is_as_near_to_float64_as_the_plain_form(name, sigma):
    bins = GRIDS[name]
    y, spread = numbers_on(bins), SIGMAS[sigma]
    if spread == "each":
        spread = torch.linspace(0.1, 2, len(y))
        spread[3:6] = torch.tensor([0.0, -1.0, torch.nan])
    found = hl_gauss(y, bins, spread)
    with kernels.using("torch"):
        plain, exact = hl_gauss(y, bins, spread), hl_gauss(y.double(), bins, spread)
    mine, theirs = errors(found, plain, exact)
    assert mine <= max(2 * theirs, 3e-7)
    assert_close(found.sum(-1).nan_to_num(1.0), torch.ones(len(y)))


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("name", GRIDS)
def test_two_hot_is_the_plain_form(name):
    bins = GRIDS[name]
    y = numbers_on(bins)
    found = two_hot(y, bins)
    with kernels.using("torch"):
        plain, exact = two_hot(y, bins), two_hot(y.double(), bins)
    mine, theirs = errors(found, plain, exact)
    assert mine <= max(2 * theirs, 1e-7)


@pytest.mark.usefixtures("_level")
def test_small_masses_have_their_digits():
    """Those of tails are not what rounding leaves of a difference of numbers near 1."""
    bins = Bins.uniform(0, 10, 100)
    y = torch.tensor([5.0, 0.03, 9.99])
    found, exact = hl_gauss(y, bins, 0.2), hl_gauss(y.double(), bins, 0.2)
    seen = exact > 1e-30
    assert_close(found.double()[seen], exact[seen], rtol=2e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_any_shape_and_precision(dtype):
    bins = GRIDS["even"]
    y = torch.linspace(-4, 6, 24).to(dtype).view(4, 6).T
    for target in (two_hot, hl_gauss):
        found = target(y, bins)
        assert found.shape == (6, 4, 40)
        assert_close(found[2, 3], target(y[2, 3].float(), bins), rtol=0, atol=0)
        assert target(y[:0], bins).shape == (0, 4, 40)


def calls(monkeypatch) -> list[int]:
    """Kinds of target that C++ made from here on."""
    made = []
    filled = fast._filled

    def counted(kind, *given, **settings):
        made.append(kind)
        return filled(kind, *given, **settings)

    monkeypatch.setattr(fast, "_filled", counted)
    return made


def test_it_runs_where_it_can(monkeypatch):
    bins, y = GRIDS["even"], torch.rand(3)
    made = calls(monkeypatch)
    hl_gauss(y, bins)
    hl_gauss(y, bins, 0.3, outside="raise")
    two_hot(y.bfloat16(), bins)
    with torch.no_grad():
        two_hot(y.clone().requires_grad_(), bins)
    assert made == [1, 1, 0, 0]


def test_elsewhere_the_plain_form_runs(monkeypatch):
    bins, y = GRIDS["even"], torch.rand(3)
    made = calls(monkeypatch)
    slopes = torch.rand(3, requires_grad=True)
    each = torch.full((3,), 0.4, requires_grad=True)
    with kernels.using("torch"):
        expected = {target: target(y, bins) for target in (hl_gauss, two_hot)}
    for target, rows in expected.items():
        assert_close(target(y.double(), bins).float(), rows)
        assert target(slopes, bins).requires_grad
        vmapped = torch.func.vmap(lambda v, target=target: target(v, bins))
        assert_close(vmapped(y), rows)
        whole = torch.compile(
            lambda v, target=target: target(v, bins),
            fullgraph=True,
            dynamic=False,
            backend="eager",
        )
        assert_close(whole(y), rows)
        assert target(y.to("meta"), bins).is_meta
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            assert target(mode.from_tensor(y), bins).shape == rows.shape
    assert hl_gauss(y, bins, each).requires_grad
    assert hl_gauss(y, bins, 0.4, outside="spread").shape == (3, 40)
    assert not made


def test_without_a_library_the_plain_form_runs_unless_it_is_named(monkeypatch):
    bins, y = GRIDS["even"], torch.rand(3)
    expected = two_hot(y, bins)
    monkeypatch.setattr(_library, "load", lambda: "it was not built")
    assert_close(two_hot(y, bins), expected)
    with kernels.using("cpp"), pytest.raises(RuntimeError, match="it was not built"):
        hl_gauss(y, bins)


def test_the_job_is_as_large_as_the_library_takes_it():
    assert isinstance(library, _library.Library)
    assert fast._JOB.size == library.handle.offby_sizeof_targets_job()
