from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

from offby import Bins, Line, kernels, losses, nn
from tests.cases import GROUNDS, grid, tree, uneven
from tests.test_kernels import LOSSES, batch, every_loss, library

pytestmark = pytest.mark.skipif(isinstance(library, str), reason=str(library))


def plain(name):
    return lambda z, y: LOSSES[name](z, y, impl="torch")


def quick(name):
    return lambda z, y: LOSSES[name](z, y, impl="auto")


def small(name, dtype=torch.float64):
    logits, target = batch(6, rows=4)
    return logits.to(dtype), target


@every_loss
def test_gradcheck(name):
    logits, target = small(name)
    loss = LOSSES[name]
    rows = lambda z: loss(z, target, impl="cpp")  # noqa: E731
    logits.requires_grad_()
    assert torch.autograd.gradcheck(rows, logits)
    assert torch.autograd.gradgradcheck(rows, logits)


@every_loss
def test_differentiated_twice(name):
    """A gradient penalty, as second-order methods have it."""
    logits, target = small(name)
    found = []
    for loss in (quick(name), plain(name)):
        z = logits.clone().requires_grad_()
        w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
        (slopes,) = torch.autograd.grad(
            (loss(z, target) * w).sum(), z, create_graph=True
        )
        found.append(torch.autograd.grad(slopes.square().sum(), (z, w)))
    assert_close(found[0], found[1])


def test_a_retained_graph_gives_the_same_though_gradients_are_edited():
    logits, target = small("squared_emd", torch.float32)
    logits.requires_grad_()
    loss = losses.squared_emd(logits, target, impl="cpp").mean()
    (first,) = torch.autograd.grad(loss, logits, retain_graph=True)
    kept = first.clone()
    first.zero_()
    (second,) = torch.autograd.grad(loss, logits, retain_graph=True)
    assert torch.equal(second, kept)
    second.mul_(3)
    (third,) = torch.autograd.grad(loss, logits)
    assert torch.equal(third, kept)


@pytest.mark.parametrize("upstream", [1.0, 0.3, 4.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_mean_is_that_of_the_rows_bit_for_bit(dtype, upstream):
    criterion = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss())])
    rows = nn.MixedLoss(
        [
            (1.0, nn.CrossEntropyLoss(reduction="none")),
            (0.5, nn.SquaredEMDLoss(reduction="none")),
        ]
    )
    logits, target = batch(7, rows=24)
    logits = logits.to(dtype).requires_grad_()
    one, mean = criterion(logits, target), rows(logits, target).mean()
    assert torch.equal(one, mean)
    assert type(one.grad_fn).__name__ == "_MeanBackward"
    for loss in (one, mean):
        loss.backward(torch.tensor(upstream, dtype=loss.dtype), retain_graph=True)
    first, second = (
        torch.autograd.grad(loss * upstream, logits, retain_graph=True)[0]
        for loss in (one, mean)
    )
    assert torch.equal(first, second)
    assert logits.grad is not None
    assert torch.equal(logits.grad, first + second)


def test_a_mean_is_differentiated_twice():
    logits, target = small("squared_emd")
    logits.requires_grad_()
    criterion, rows = nn.SquaredEMDLoss(), plain("squared_emd")
    found = []
    for loss in (criterion(logits, target), rows(logits, target).mean()):
        (slopes,) = torch.autograd.grad(loss, logits, create_graph=True)
        found.append(torch.autograd.grad(slopes.square().sum(), logits)[0])
    assert_close(found[0], found[1])


def test_a_mean_goes_backward_though_its_logits_were_written_over():
    logits, target = small("squared_emd", torch.float32)
    leaf = logits.clone().requires_grad_()
    expected = torch.autograd.grad(nn.SquaredEMDLoss()(leaf, target), leaf)[0]
    work = leaf.clone()
    loss = nn.SquaredEMDLoss()(work, target)
    work.detach().zero_()
    work.add_(1)
    loss.backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, expected)


def test_gradients_of_two_backward_passes_add_up():
    logits, target = small("squared_emd", torch.float32)
    logits.requires_grad_()
    loss = losses.squared_emd(logits, target, impl="cpp").sum()
    loss.backward(retain_graph=True)
    assert logits.grad is not None
    once = logits.grad.clone()
    loss.backward()
    assert_close(logits.grad, 2 * once)


def test_logits_written_over_are_an_error_where_they_are_needed():
    logits, target = small("squared_emd", torch.float32)
    for reduce, needed in ((torch.mean, False), (torch.sum, True)):
        leaf = logits.clone().requires_grad_()
        z = leaf * 1.0
        loss = reduce(losses.squared_emd(z, target, impl="cpp"))
        with torch.no_grad():
            z.zero_()
        if needed:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()
        else:
            loss.backward()


# PyTorch's own forward mode calls what PyTorch has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@every_loss
def test_torch_func(name):
    logits, target = small(name)
    for transform in (
        lambda loss: torch.func.grad(lambda z: loss(z, target).sum())(logits),
        lambda loss: torch.func.vmap(torch.func.grad(loss))(logits, target),
        lambda loss: torch.func.jvp(
            lambda z: loss(z, target), (logits,), (logits.cos(),)
        )[1],
        lambda loss: torch.func.hessian(lambda z: loss(z, target[0]))(logits[0]),
        lambda loss: torch.func.jacrev(lambda z: loss(z, target))(logits),
    ):
        assert_close(transform(quick(name)), transform(plain(name)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forward_mode():
    logits, target = small("squared_emd")
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(logits, logits.sin())
        got = forward_ad.unpack_dual(losses.squared_emd(dual, target)).tangent
        by_name = losses.squared_emd(dual, target, impl="torch")
        expected = forward_ad.unpack_dual(by_name).tangent
        with pytest.raises(RuntimeError, match="forward-mode"):
            losses.squared_emd(dual, target, impl="cpp")
    assert_close(got, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_whole():
    logits, target = batch(6, rows=8)
    bins, line = grid(6), Line(uneven(6))
    value = bins.centers.take(target)
    criteria = {
        nn.CrossEntropyLoss(): target,
        nn.WassersteinLoss(line, p=2): target,
        nn.SquaredEMDLoss(line): target,
        nn.SquaredEMDLoss(tree(6)): target,
        nn.CumulativeCrossEntropyLoss(): target,
        nn.HistogramCRPSLoss(bins): value,
        nn.MixedLoss(
            [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss(line))]
        ): target,
    }
    for criterion, truth in criteria.items():
        torch.compiler.reset()
        compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
        found = []
        for form in (compiled, criterion):
            z = logits.float().requires_grad_()
            loss = form(z, truth)
            found.append((loss.detach(), *torch.autograd.grad(loss, z)))
        assert_close(found[0], found[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_by_inductor(monkeypatch):
    # Which vectors this machine has, the compiler need not try: 6 of 27 CPU seconds.
    monkeypatch.setattr("torch._inductor.config.cpp.vec_isa_ok", True)
    logits, target = small("", torch.float32)
    torch.compiler.reset()
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (1.0, nn.SquaredEMDLoss())])
    compiled = torch.compile(mixed, fullgraph=True)
    z = logits.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(compiled(z, target), z)
    (expected,) = torch.autograd.grad(mixed(z, target), z)
    assert_close(slopes, expected)


@every_loss
def test_autocast(name):
    logits, target = small(name, torch.float32)
    layer = torch.nn.Linear(6, 6)
    found = []
    for loss in (quick(name), plain(name)):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = layer(logits)
            assert z.dtype == torch.bfloat16
            value = loss(z, target)
        assert value.dtype == torch.float32
        found.append(torch.autograd.grad(value.mean(), layer.weight)[0])
    assert_close(found[0], found[1], rtol=2e-2, atol=2e-3)


@every_loss
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed(name, reentrant):
    logits, target = small(name)
    loss = lambda z: quick(name)(z * 1.5, target).mean()  # noqa: E731
    found = []
    for run in (loss, lambda z: checkpoint(loss, z, use_reentrant=reentrant)):
        z = logits.clone().requires_grad_()
        run(z).backward()
        found.append(z.grad)
    assert torch.equal(found[0], found[1])


def test_without_gradients_none_is_made(monkeypatch):
    made = []
    monkeypatch.setattr(
        "offby.kernels.cpp._library.empty_gradient", lambda *a: made.append(1)
    )
    logits, target = small("squared_emd")
    losses.squared_emd(logits, target, impl="cpp")
    with torch.no_grad():
        losses.squared_emd(logits.requires_grad_(), target, impl="cpp")
    with torch.inference_mode():
        losses.squared_emd(logits, target, impl="cpp")
    assert not made


def test_dispatch_modes_see_the_plain_form():
    from torch.utils.flop_counter import FlopCounterMode

    logits, target = small("squared_emd")
    with FlopCounterMode(display=False):
        losses.squared_emd(logits, target)
    meta = losses.squared_emd(logits.to("meta"), target.to("meta"))
    assert meta.device.type == "meta"


def test_anatomy_is_that_of_the_formula():
    from offby import anatomy

    logits = torch.tensor([0.3, -1.0, 0.5, 2.0])
    with kernels.using("cpp"):
        found = anatomy(losses.wasserstein, logits, torch.tensor(1))
    expected = torch.tensor([1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    assert_close(found.mass_weights, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squared_emd", "cross_entropy"])
def test_memory_of_one_call_is_one_buffer(name):
    from benchmarks.cpu import peak_mib

    logits = torch.randn(2048, 512, requires_grad=True)
    target = torch.randint(512, (2048,))

    def ours():
        torch.autograd.grad(LOSSES[name](logits, target, impl="cpp").mean(), logits)

    def theirs():
        loss = torch.nn.functional.cross_entropy(logits, target)
        torch.autograd.grad(loss, logits)

    assert peak_mib(ours) <= 1.05 * 4.0  # 2048 x 512 float32: 4 MiB
    assert peak_mib(ours) <= peak_mib(theirs)


class Wrapped(torch.Tensor):
    """A subclass without memory of its own, as PyTorch's own wrappers are."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, dtype=inner.dtype, device=inner.device
        )

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        args, kwargs = tree_map(cls.unwrapped, (args, kwargs or {}))
        return func(*args, **kwargs)

    @staticmethod
    def unwrapped(each):
        return each.inner if isinstance(each, Wrapped) else each


@every_loss
def test_a_subclass_as_upstream_gradient_is_multiplied_not_read(name):
    """Its data pointer is null: to read it would end the process."""
    logits, target = small(name, torch.float32)
    up = torch.tensor([1.0, -2.0, 0.0, 3.0])
    for reduced, upstream in ((False, up), (True, up[0])):
        found = []
        for loss, given in ((quick(name), Wrapped(upstream)), (plain(name), upstream)):
            z = logits.clone().requires_grad_()
            value = loss(z, target)
            value = value.mean() if reduced else value
            found.append(torch.autograd.grad(value, z, given)[0])
        assert_close(*found)


def test_a_criterions_mean_takes_a_subclass_too():
    logits, target = small("squared_emd", torch.float32)
    logits.requires_grad_()
    one = torch.tensor(1.0)
    expected = torch.autograd.grad(nn.SquaredEMDLoss()(logits, target), logits, one)
    loss = nn.SquaredEMDLoss()(logits, target)
    assert_close(torch.autograd.grad(loss, logits, Wrapped(one)), expected)


def test_a_fake_upstream_gradient_does_not_end_the_process():
    logits, target = small("squared_emd", torch.float32)
    logits.requires_grad_()
    loss = losses.squared_emd(logits, target)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(torch.ones(4))
    try:
        (slope,) = torch.autograd.grad(loss, logits, fake)
    except (RuntimeError, AssertionError):
        return
    assert slope.shape == logits.shape


@every_loss
def test_gradients_of_many_at_once(name):
    logits, target = small(name)
    ups = torch.randn(3, 4, dtype=torch.float64)
    found = []
    for loss in (quick(name), plain(name)):
        z = logits.clone().requires_grad_()
        value = loss(z, target)
        batched = torch.autograd.grad(
            value, z, ups, is_grads_batched=True, retain_graph=True
        )
        mapped = torch.func.vmap(
            lambda up, value=value, z=z: torch.autograd.grad(
                value, z, up, retain_graph=True
            )[0]
        )(ups)
        assert_close(batched[0], mapped)
        jacobian = torch.autograd.functional.jacobian(
            lambda z, loss=loss: loss(z, target), logits, vectorize=True
        )
        found.append((mapped, jacobian))
    assert_close(found[0], found[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@every_loss
def test_a_traced_loss_is_the_loss(name):
    logits, target = small(name, torch.float32)
    for needed in (False, True):
        z = logits.clone().requires_grad_(needed)
        traced: Any = torch.jit.trace(quick(name), (z, target), check_trace=False)
        other = logits.flip(0)
        assert_close(traced(other, target), plain(name)(other, target))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind",
    [nn.SquaredEMDLoss, nn.WassersteinLoss, nn.CumulativeCrossEntropyLoss],
)
def test_the_default_ground_needs_no_look_at_numbers(kind):
    """Compiled whole, under fake tensors, and on the meta device."""
    logits, target = torch.randn(3, 5), torch.tensor([0, 4, 2])
    soft = torch.rand(3, 5).softmax(-1)
    criterion = kind()
    torch.compiler.reset()
    compiled = torch.compile(criterion, fullgraph=True, backend="eager")
    for z, given in ((logits, soft), (logits.half(), target)):
        assert_close(compiled(z, given), criterion(z, given))
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(logits), mode.from_tensor(soft)
        assert criterion(*fake).shape == ()
    assert criterion(logits.to("meta"), soft.to("meta")).is_meta


@pytest.mark.parametrize(
    "on", [*GROUNDS["circle"], *GROUNDS["costs"], tree, Line.regular]
)
@pytest.mark.parametrize("loss", [losses.wasserstein, losses.squared_mass])
def test_slopes_of_each_example(loss, on):
    """vmap hands over single indices; to read one on the host it refuses."""
    z, y, ground = torch.randn(3, 5), torch.tensor([0, 4, 2]), on(5)
    each = torch.func.vmap(torch.func.grad(lambda z, y: loss(z, y, ground)))(z, y)
    z.requires_grad_()
    (expected,) = torch.autograd.grad(loss(z, y, ground).sum(), z)
    assert_close(each, expected)


def test_slopes_of_each_example_of_a_histogram():
    z, y, edges = torch.randn(3, 5), torch.rand(3), torch.linspace(0, 1, 6)
    for bins in (Bins(edges), Bins(edges, tails="half-normal")):
        for name in ("nll", "crps", "wasserstein"):
            loss = getattr(losses, f"histogram_{name}")
            grad = torch.func.grad(lambda z, y, on=bins, f=loss: f(z, y, on))
            x = z.clone().requires_grad_()
            (expected,) = torch.autograd.grad(loss(x, y, bins).sum(), x)
            assert_close(torch.func.vmap(grad)(z, y), expected)
