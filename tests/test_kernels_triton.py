"""The Triton kernels in Triton's interpreter: right numbers without a GPU."""

import gc
import importlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from offby import kernels, nn
from offby.kernels import _support
from offby.kernels._autograd import per_row
from offby.kernels.cpp import _library
from tests.cases import grid, uneven
from tests.test_kernels import batch, farthest, library

pytest.importorskip("triton", reason="Triton is not installed")
pytestmark = [
    pytest.mark.skipif(isinstance(library, str), reason=str(library)),
    pytest.mark.skipif(
        torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1",
        reason="on a GPU benchmarks/gpu.py checks; here TRITON_INTERPRET=1 is needed",
    ),
    # NumPy, in which the interpreter computes, speaks of -inf - -inf; the kernel
    # passes it over.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


TERMS = _library.TERMS[:5]  # no tree


@pytest.fixture(scope="module", autouse=True)
def _language_is_patched_once():
    """Triton's interpreter patches its language at every call of a function.

    Once in a launch is enough, in each module that has functions of it: the rest is
    half of the time of a kernel in chunks.
    """
    interpreter = importlib.import_module("triton.runtime.interpreter")
    # Inside of Triton: where it is another, the tests are as right, and slower.
    patch, patched = getattr(interpreter, "_patch_lang", None), set()
    if patch is None:
        yield
        return

    def once(function):
        if (module := function.__module__) in patched:
            return None  # A call within a launch: nobody asks for what it patched.
        launched = not patched
        patched.add(module)
        scope = patch(function)
        if launched:
            restore = scope.restore
            scope.restore = lambda: (patched.clear(), restore())
        return scope

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(interpreter, "_patch_lang", once)
        yield


@pytest.fixture
def triton_rows():
    """The module; conftest.py has its kernels interpreted where there is no GPU."""
    return importlib.import_module("offby.kernels.triton._rows")


def numbers(name: str, target: Tensor, n: int, power: float = 1.0) -> tuple:
    wanted = TERMS if name == "all" else (name,)
    factors = tuple(float(term in wanted) for term in _library.TERMS)
    bins = grid(n)
    value = bins.edges[target] + 0.3 * bins.widths[target]
    index = None if name == "histogram_crps" else target
    return factors, index, value, uneven(n), bins.edges, power


# The dtype is that of what is read and written: one call with all terms shows it.
EACH_TERM = pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, torch.float32) for name in TERMS), ("all", torch.bfloat16)],
    ids=str,
)


def of_every_margin(n: int, rows: int) -> tuple[Tensor, Tensor]:
    """Rows that are unsure, sure of the truth and sure of a class far from it."""
    batches = [batch(n, rows, margin) for margin in (0, 12, -12)]
    logits, target = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return logits, target


@EACH_TERM
def test_every_row_is_near_float64(triton_rows, name, dtype):
    most = 5e-6 if dtype == torch.float32 else 8e-3
    for n in (1, 2, 10, 37):
        logits, target = of_every_margin(n, rows=4)
        logits = logits.to(dtype)
        task = numbers(name, target, n)
        value, slopes = triton_rows.LossCall(*task).loss_and_gradient(logits, 1.0)
        right, steep = _library.LossCall(*task).loss_and_gradient(logits.double(), 1.0)
        assert_close(value.double(), right, rtol=5e-6, atol=1e-12)
        assert slopes.dtype == dtype
        assert farthest(slopes, steep) <= most


@pytest.fixture
def _chunks(monkeypatch, triton_rows):
    """Rows of more than 8 classes count as too long for a program."""
    monkeypatch.setattr(triton_rows, "LONGEST", 8)
    monkeypatch.setattr(triton_rows, "CHUNK", 8)


@pytest.mark.usefixtures("_chunks")
@EACH_TERM
def test_long_rows_are_read_in_chunks(triton_rows, name, dtype):
    logits, target = of_every_margin(20, rows=1)
    logits = logits.to(dtype)
    logits[0, :8] -= 200.0  # a chunk without mass
    task = numbers(name, target, 20)
    value, slopes = triton_rows.LossCall(*task).loss_and_gradient(logits, 1.0)
    right, steep = _library.LossCall(*task).loss_and_gradient(logits.double(), 1.0)
    assert_close(value.double(), right, rtol=5e-6, atol=1e-12)
    most = 5e-6 if dtype == torch.float32 else 8e-3
    assert farthest(slopes, steep) <= most
    if name != "all":  # which the interpreter takes seconds for
        assert torch.equal(triton_rows.LossCall(*task).loss(logits), value)


@pytest.mark.parametrize("power", [2.0, 1.5])
def test_any_power_of_the_distance(triton_rows, power):
    logits, target = batch(10, rows=5)
    task = numbers("wasserstein", target, 10, power)
    got = triton_rows.LossCall(*task).loss_and_gradient(logits.float(), 1.0)
    expected = _library.LossCall(*task).loss_and_gradient(logits.float(), 1.0)
    assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_classes_on_axis_1(triton_rows):
    images = torch.randn(2, 7, 3, 4, generator=torch.Generator().manual_seed(0))
    logits = images.movedim(1, -1)
    target = torch.arange(24).view(2, 3, 4) % 7
    task = numbers("squared_emd", target, 7)
    value, slopes = triton_rows.LossCall(*task).loss_and_gradient(logits, 1.0)
    dense = triton_rows.LossCall(*task).loss_and_gradient(logits.contiguous(), 1.0)
    assert torch.equal(value, dense[0])
    assert_close(slopes, dense[1])
    assert slopes.stride() == logits.stride()


@pytest.mark.parametrize("width", [10, 12, 24, 40])
def test_columns_of_a_wider_table(either, width):
    logits, target = batch(10, rows=5)
    table = torch.full((5, width), torch.nan)
    table[:, :10] = logits
    task = either.LossCall(*numbers("squared_emd", target, 10))
    got = task.loss_and_gradient(table[:, :10], 1.0)
    expected = task.loss_and_gradient(logits.float(), 1.0)
    assert torch.equal(got[0], expected[0])
    assert torch.equal(got[1], expected[1])


@pytest.mark.parametrize("longest", [16384, 0], ids=["tile", "chunks"])
@pytest.mark.parametrize("name", TERMS)
def test_impossible_targets_and_logits(triton_rows, monkeypatch, name, longest):
    monkeypatch.setattr(triton_rows, "LONGEST", longest)
    monkeypatch.setattr(triton_rows, "CHUNK", 16)
    logits, target = batch(5, rows=6)
    logits = logits.float()
    logits[1, 2] = -torch.inf
    logits[2, 2] = torch.nan
    logits[3] = 1e4 * logits[3]
    factors, index, value, *rest = numbers(name, target.clamp(0, 4), 5)
    if index is not None:
        index = index.clone()
        index[0] = 5
    value[0] = torch.nan
    task = factors, index, value, *rest
    got, slopes = triton_rows.LossCall(*task).loss_and_gradient(logits, 1.0)
    expected, steep = _library.LossCall(*task).loss_and_gradient(logits, 1.0)
    assert_close(got, expected, rtol=1e-4, atol=1e-4, equal_nan=True)
    # Logarithms of 1e4 are known to 1e-3, and so is what they are exponents of.
    most = 2e-3 if "cumulative" in name else 1e-4
    assert_close(slopes, steep, rtol=most, atol=most, equal_nan=True)


@pytest.fixture(params=["tile", "chunks"])
def either(request, triton_rows, monkeypatch):
    """The module, with one of its two kernels."""
    if request.param == "chunks":
        monkeypatch.setattr(triton_rows, "LONGEST", 0)
        monkeypatch.setattr(triton_rows, "CHUNK", 16)
    return triton_rows


def begun(triton_rows, name: str = "squared_emd", dtype: torch.dtype = torch.float32):
    """A task, 6 rows, the gradient that a forward pass makes, and for which scale."""
    logits, target = batch(20, rows=6)
    task, logits = triton_rows.LossCall(*numbers(name, target, 20)), logits.to(dtype)
    scale = task.expected_scale(6)
    return task, logits, task.loss_and_gradient(logits, scale)[1], scale


def test_the_mean_asks_for_the_scale():
    for n in range(1, 20_001):
        assert torch.ones(()) / n == torch.tensor(1.0 / n, dtype=torch.float32), n


def test_a_backward_pass_of_the_mean_reads_no_logits(either):
    task, logits, slopes, scale = begun(either)
    kept, unread = slopes.clone(), torch.full_like(logits, torch.nan)
    mean = torch.ones(()) / 6
    for upstream in (mean.expand(6), mean.repeat(6), mean.repeat(12)[::2]):
        assert task.gradient(unread, upstream, (slopes, scale)) is slopes
        assert torch.equal(slopes, kept)


@pytest.mark.parametrize(
    ("either", "dtype"),
    # In chunks, rounding has a test of its own below.
    [("tile", torch.float32), ("tile", torch.bfloat16), ("chunks", torch.float32)],
    indirect=["either"],
    ids=str,
)
def test_rows_with_other_upstream_numbers_are_made_again(either, dtype):
    task, logits, slopes, scale = begun(either, dtype=dtype)
    # A program holds 4 rows of the 6: some made before, and none.
    up = torch.tensor([0.0, scale, scale, -2.0, 0.7, 1e-3])
    unread = torch.where((up == up[1])[:, None], torch.nan, logits)
    whole = task.gradient(logits, up)
    assert torch.equal(task.gradient(unread, up, (slopes, scale)), whole)
    for row, number in ((1, scale), (3, -2.0)):
        assert torch.equal(task.loss_and_gradient(logits, number)[1][row], whole[row])
    # Of one number repeated nothing is written down; of a view, no copy is needed.
    for upstream in (up[3].expand(6), up.repeat_interleave(2)[::2]):
        _, slopes = task.loss_and_gradient(logits, scale)
        got = task.gradient(logits, upstream, (slopes, scale))
        assert torch.equal(got, task.gradient(logits, upstream.contiguous()))


def test_a_gradient_is_rounded_once(either):
    task, logits, slopes, scale = begun(either, dtype=torch.bfloat16)
    up = torch.linspace(-1.0, 1.0, 6)
    got = task.gradient(logits, up, (slopes, scale))
    exact = task.gradient(logits.float(), up)
    # The interpreter cuts the digits off.
    cut = (exact.view(torch.int32) & -(2**16)).view(torch.float32)
    assert torch.equal(got.float(), cut)


def test_weighted_rows_are_near_float64(either):
    logits, target = batch(20, rows=3)
    task = either.LossCall(*numbers("all", target, 20))
    up = torch.tensor([3.0, 1 / 3, -1.0])
    right = _library.LossCall(task.factors, *_rest_of(task))
    steep = right.loss_and_gradient(logits.double(), 1.0)[1] * up[:, None]
    z = logits.float().requires_grad_()
    (per_row(task, torch.neg, z) * up).sum().backward()
    assert z.grad is not None
    assert farthest(z.grad, steep) <= 5e-6


def _rest_of(task):
    return task.index, task.value, task.positions, task.edges, task.power


@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4)])
def test_no_rows(either, shape):
    task = either.LossCall((1.0, 0, 1.0, 0, 0, 0), torch.zeros(shape[:-1]).long())
    z = torch.zeros(shape, requires_grad=True)
    loss = per_row(task, torch.neg, z)
    assert loss.shape == shape[:-1]
    loss.sum().backward()
    assert z.grad is not None
    assert z.grad.shape == shape


def test_a_graph_that_is_kept_gives_the_same_again(either):
    task, logits, slopes, _ = begun(either)
    z = logits.clone().requires_grad_()
    loss = per_row(task, torch.neg, z).mean()
    for _ in range(2):
        (got,) = torch.autograd.grad(loss, z, retain_graph=True)
        assert torch.equal(got, slopes)
        got.zero_()  # its owner may


def test_tensors_of_two_devices_are_refused(triton_rows):
    """The GPU would read where nothing of this lies."""
    task = triton_rows.LossCall(
        (1.0, 0, 0, 0, 0, 0), torch.zeros(3, device="meta").long()
    )
    with pytest.raises(RuntimeError, match="on one device, got cpu and meta"):
        task.loss(torch.zeros(3, 4))


@pytest.mark.parametrize("kernel", ["rows_in_registers", "rows_in_chunks"])
def test_it_is_launched_on_the_device_of_the_logits(triton_rows, monkeypatch, kernel):
    """Triton would take the current one."""
    events = []

    @contextmanager
    def device_of(tensor):
        events.append(tensor.device)
        yield
        events.append("left")

    class Kernel:
        def __getitem__(self, grid):
            return lambda *numbers, **settings: events.append(grid)

    monkeypatch.setattr(torch.cuda, "device_of", device_of)
    monkeypatch.setattr(triton_rows, kernel, Kernel())
    monkeypatch.setattr(triton_rows, "LONGEST", 8)
    n = 4 if kernel == "rows_in_registers" else 9
    task = triton_rows.LossCall((1.0, 0, 0, 0, 0, 0), torch.zeros(1).long())
    task.loss(torch.zeros(1, n))
    assert events == [torch.device("cpu"), (1,), "left"]


def test_on_the_cpu_it_does_not_run():
    logits, target = batch(6)
    assert "on cuda" in kernels.unsupported_reason(
        "triton", logits, target, [kernels.Term("squared_emd")]
    )


def test_a_second_call_waits_for_no_device_and_copies_nothing_there(triton_rows):
    """What a CUDA graph could not record. Every call views the ground anew."""
    logits, target = batch(6, rows=4)
    logits, up = logits.float(), torch.ones(4)
    factors, index, value, positions, edges, power = numbers("all", target, 6)

    def both_ways():
        line, cuts = positions.detach(), edges.detach()
        task = triton_rows.LossCall(factors, index, value, line, cuts, power)
        task.gradient(logits, up, (task.loss_and_gradient(logits, 0.25)[1], 0.25))

    both_ways()
    with Seen() as seen:
        both_ways()
    waits = {"_local_scalar_dense", "nonzero", "_to_copy", "diff", "arange"}
    assert "searchsorted" in seen.names
    assert not seen.names & waits


class Seen(TorchDispatchMode):
    """Names of the operators that ran."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func._schema.name.split("::")[-1])
        return func(*args, **(kwargs or {}))


def test_positions_written_over_are_seen(triton_rows):
    positions = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    task = triton_rows.LossCall(
        (0, 1.0, 0, 0, 0, 0), torch.tensor([0]), positions=positions
    )
    logits = torch.zeros(1, 3)
    assert_close(task.loss(logits), torch.tensor([1.0]))
    positions.mul_(2)
    assert_close(task.loss(logits), torch.tensor([2.0]))


def test_what_was_made_of_a_ground_goes_with_it(triton_rows):
    ground = importlib.import_module("offby.kernels.triton._ground")
    ground._made.clear()
    logits, index = torch.zeros(1, 3), torch.tensor([0])
    for distance in (1.0, 2.0, 3.0):
        # One piece of memory may be a line and a grid.
        edges = distance * torch.arange(4).double()
        task = triton_rows.LossCall(
            (0, 1.0, 0, 0, 1.0, 0), index, edges[:1], edges[:3], edges
        )
        expected = _library.LossCall(task.factors, *_rest_of(task)).loss(logits)
        assert_close(task.loss(logits), expected)
        assert len(ground._made) == 2
        del task, edges
        gc.collect()  # the interpreter keeps what it was called with in a ring


def test_a_ground_made_in_inference_mode_serves(triton_rows):
    with torch.inference_mode():
        positions = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    task = triton_rows.LossCall(
        (0, 1.0, 0, 0, 0, 0), torch.tensor([0]), positions=positions
    )
    assert_close(task.loss(torch.zeros(1, 3)), torch.tensor([4 / 3]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_cuda_a_compiler_sees_one_operator(monkeypatch):
    """Traced with tensors that have a device and no numbers: there is no GPU here."""

    def ready(kernel):
        return True

    ready._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
    monkeypatch.setattr(_support, "_is_ready", ready)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])
    torch.compiler.reset()
    with FakeTensorMode():
        logits = torch.zeros(4, 6, device="cuda", dtype=torch.bfloat16)
        target = torch.zeros(4, device="cuda", dtype=torch.int64)
        found = torch.compile(mixed, fullgraph=True, backend=backend)(logits, target)
    assert found.device.type == "cuda"
    assert found.dtype == torch.float32
    (graph,) = graphs
    assert graph.code.count("offby.rows") == 1
    assert "softmax" not in graph.code


@pytest.mark.slow
def test_the_kernels_compile_for_a_gpu(tmp_path):
    quiet = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("triton_ahead.py"))],
        env=os.environ | quiet | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(int(size) > 1000 for size in done.stdout.split())
