import pytest
import torch
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from offby import Line, kernels, losses, nn
from tests.cases import grid, tree, uneven
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
def test_compiled_by_inductor():
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
