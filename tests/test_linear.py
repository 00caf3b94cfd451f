"""The last linear layer and the loss in one: the same numbers, without the logits."""

import functools

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from offby import Bins, Circle, Line, losses, nn
from offby.kernels import _chunks, _last_layer
from offby.kernels._last_layer import rows_at_a_time
from offby.kernels.cpp import _library
from tests.cases import grid, tree, uneven

library = _library.load()
needs_library = pytest.mark.skipif(isinstance(library, str), reason=str(library))
K, D = 9, 6


def _value(y):
    return grid(K).edges[y] + 0.3 * grid(K).widths[y]


LINE = Line(uneven(K))
PAIRS = {
    "cross_entropy": (losses.linear_cross_entropy, losses.cross_entropy, ()),
    "squared_emd": (losses.linear_squared_emd, losses.squared_emd, (LINE,)),
    "on a tree": (losses.linear_squared_emd, losses.squared_emd, (tree(K),)),
    "on a circle": (
        losses.linear_squared_emd,
        losses.squared_emd,
        (Circle.regular(K),),
    ),
    "wasserstein": (losses.linear_wasserstein, losses.wasserstein, (LINE,)),
    "cumulative": (
        losses.linear_cumulative_cross_entropy,
        losses.cumulative_cross_entropy,
        (LINE,),
    ),
    "crps": (losses.linear_crps, losses.histogram_crps, (grid(K),)),
    "nll": (losses.linear_nll, losses.histogram_nll, (grid(K),)),
}
every_pair = pytest.mark.parametrize("name", PAIRS)


def layer(*rows, dtype=torch.float64, classes=K, seed=0):
    """Hidden states, weight, bias, classes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (*rows, D), (classes, D), (classes,)
    inputs = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    target = torch.randint(classes, rows, generator=generator)
    return *(x.to(dtype).requires_grad_() for x in inputs), target


def both(name, hidden, weight, bias, target, **settings):
    """The loss of each row: in one, and after the layer."""
    fused, plain, ground = PAIRS[name]
    target = _value(target) if name in ("crps", "nll") else target
    one = fused(hidden, weight, target, *ground, bias=bias, **settings)
    return one, plain(F.linear(hidden, weight, bias), target, *ground)


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


@every_pair
@pytest.mark.parametrize("chunk", [None, 4])
def test_it_is_the_loss_after_the_layer(name, chunk):
    """Means, whose gradients are made early, and weighted sums, whose are not."""
    hidden, weight, bias, target = layer(3, 5)
    shares = torch.linspace(0, 1, 15, dtype=torch.float64).view(3, 5)
    for reduce in (torch.mean, lambda rows: (rows * shares).sum()):
        one, after = both(name, hidden, weight, bias, target, chunk=chunk)
        assert one.shape == (3, 5)
        assert_close(one, after)
        got = gradients(reduce(one), hidden, weight, bias)
        assert_close(got, gradients(reduce(after), hidden, weight, bias))


@needs_library
@pytest.mark.parametrize("classes", [K, 4500])
@pytest.mark.parametrize("margin", [0.0, 12.0])
def test_gradients_in_float32_are_within_1e_5_of_float64(classes, margin):
    """Also of rows that are sure of a wrong class, which are read more than once."""
    hidden, weight, bias, target = layer(40, classes=classes)
    with torch.no_grad():
        bias[1] += margin
    exact = losses.squared_emd(F.linear(hidden, weight, bias), target, impl="torch")
    right = gradients(exact.mean(), hidden, weight, bias)
    some = [x.detach().float().requires_grad_() for x in (hidden, weight, bias)]
    for chunk in (None, 16):
        one = losses.linear_squared_emd(
            some[0], some[1], target, bias=some[2], chunk=chunk, impl="cpp"
        )
        for mine, theirs in zip(gradients(one.mean(), *some), right, strict=True):
            assert (mine - theirs).norm() <= 1e-5 * theirs.norm()


@needs_library
@pytest.mark.parametrize("classes", [K, 4500])
def test_rows_that_are_read_twice_find_their_logits(classes):
    """They are computed in float64, after the gradients of their neighbors."""
    hidden, weight, bias, target = layer(40, classes=classes)
    with torch.no_grad():
        bias[1] += 30
    after = losses.wasserstein(
        F.linear(hidden, weight, bias), target, p=1.5, impl="torch"
    )
    right = gradients(after.mean(), hidden, weight)
    some = [x.detach().float().requires_grad_() for x in (hidden, weight, bias)]
    one = losses.linear_wasserstein(
        some[0], some[1], target, p=1.5, bias=some[2], impl="cpp"
    )
    for mine, theirs in zip(gradients(one.mean(), *some[:2]), right, strict=True):
        assert (mine - theirs).norm() <= 1e-5 * theirs.norm()


def test_features_on_axis_1_are_not_copied(monkeypatch):
    hidden, weight, bias, target = layer(2, 4, 3)
    images = hidden.detach().movedim(-1, 1).contiguous().requires_grad_()
    seen = []
    run = _chunks.rows_of
    monkeypatch.setattr(
        _chunks, "rows_of", lambda x: seen.append(run(x).memory.data_ptr()) or run(x)
    )
    one = losses.linear_squared_emd(images, weight, target, bias=bias, dim=1, chunk=5)
    after = losses.squared_emd(F.linear(hidden, weight, bias), target)
    assert_close(one, after)
    assert seen == [images.data_ptr()]
    (mine,) = torch.autograd.grad(one.mean(), images)
    (theirs,) = torch.autograd.grad(after.mean(), hidden)
    assert_close(mine, theirs.movedim(-1, 1))
    assert mine.stride() == images.stride()


@every_pair
def test_gradcheck(name):
    hidden, weight, bias, target = layer(4)

    def loss(*inputs):
        hidden, weight, bias = inputs
        return both(name, hidden, weight, bias, target, chunk=3)[0]

    assert torch.autograd.gradcheck(loss, (hidden, weight, bias))
    # Along one direction drawn anew: entry by entry it takes ten times as long.
    assert torch.autograd.gradgradcheck(loss, (hidden, weight, bias), fast_mode=True)


def test_no_chunk_of_logits_is_larger_than_asked(monkeypatch):
    sizes = []
    shaped = _chunks._as_rows
    monkeypatch.setattr(
        _chunks,
        "_as_rows",
        lambda memory, n, k, beside: sizes.append(n) or shaped(memory, n, k, beside),
    )
    monkeypatch.setattr(F, "linear", None)  # whole logits would need it
    hidden, weight, _, target = layer(10)
    losses.linear_cross_entropy(hidden, weight, target, chunk=4).mean().backward()
    assert set(sizes) == {4, 2}


def test_chunks_are_small_and_not_too_small():
    cpu = torch.device("cpu")
    for classes in (2, 80, 1000, 32_000, 128_256):
        rows = rows_at_a_time(classes, cpu)
        assert rows >= 64
        assert rows * classes <= max(2**23, 64 * classes, 512 * 2)
    assert _last_layer.rows_at_a_time(1000, torch.device("cuda")) > 512


@needs_library
def test_three_ways_agree():
    """Whole logits in plain PyTorch, chunks in plain PyTorch, chunks in C++."""
    hidden, weight, bias, target = layer(12, dtype=torch.float32)
    ways = [
        losses.linear_squared_emd(
            hidden, weight, target, LINE, bias=bias, impl="torch"
        ),
        losses.linear_loss(
            hidden,
            weight,
            lambda z, y: losses.squared_emd(z, y, LINE, impl="torch"),
            target,
            bias=bias,
            chunk=5,
        ),
        losses.linear_squared_emd(
            hidden, weight, target, LINE, bias=bias, chunk=5, impl="cpp"
        ),
    ]
    first, *others = [(x, gradients(x.mean(), hidden, weight, bias)) for x in ways]
    for other in others:
        assert_close(other, first, rtol=1e-5, atol=1e-6)


def test_triton_fills_the_same_buffers():
    """In the interpreter: rows one after the other, and side by side."""
    pytest.importorskip("triton", reason="Triton is not installed")
    if torch.cuda.is_available() or isinstance(library, str):
        pytest.skip("needs the interpreter and the C++ kernels")
    from offby.kernels.triton import _rows as _triton

    logits = torch.randn(6, K, generator=torch.Generator().manual_seed(0))
    index, upstream = torch.arange(6) % K, torch.linspace(0.5, 1, 3)
    for order in (logits, logits.t().contiguous().t()):
        found = []
        for module in (_library, _triton):
            factors = tuple(float(t == "squared_emd") for t in _library.TERMS)
            call = module.LossCall(factors, index).of_rows(2, 5)
            some = torch.empty_like(order[2:5]).copy_(order[2:5])
            gradient, loss = torch.zeros_like(some), torch.zeros(3)
            call.fill(some, loss, gradient, upstream)
            found.append((loss, gradient))
        assert_close(found[0], found[1])


def test_a_second_backward_pass_gives_the_same():
    hidden, weight, bias, target = layer(7)
    loss = losses.linear_squared_emd(hidden, weight, target, bias=bias).mean()
    first = torch.autograd.grad(loss, (hidden, weight), retain_graph=True)
    kept = [each.clone() for each in first]
    for each in first:
        each.zero_()
    assert_close(list(torch.autograd.grad(loss, (hidden, weight))), kept)


# PyTorch's own forward mode calls what PyTorch has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_transforms_and_batched_gradients_use_the_plain_form():
    hidden, weight, bias, target = layer(4)

    def loss(h, w):
        return losses.linear_squared_emd(h, w, target, bias=bias).sum()

    def after(h, w):
        return losses.squared_emd(F.linear(h, w, bias), target).sum()

    inputs = hidden.detach(), weight.detach()
    assert_close(torch.func.grad(loss)(*inputs), torch.func.grad(after)(*inputs))
    assert_close(
        torch.func.jvp(loss, inputs, inputs), torch.func.jvp(after, inputs, inputs)
    )
    one = losses.linear_squared_emd(hidden, weight, target, bias=bias)
    (each,) = torch.autograd.grad(
        one, hidden, torch.eye(4, dtype=one.dtype), is_grads_batched=True
    )
    (whole,) = torch.autograd.grad(loss(hidden, weight), hidden)
    assert_close(each.sum(0), whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_as_near_as_after_the_layer(dtype):
    hidden, weight, bias, target = layer(64)
    right = gradients(
        losses.squared_emd(F.linear(hidden, weight, bias), target).mean(), weight
    )[0]
    some = [x.detach().to(dtype).requires_grad_() for x in (hidden, weight, bias)]
    one = losses.linear_squared_emd(some[0], some[1], target, bias=some[2], chunk=16)
    after = losses.squared_emd(F.linear(*some), target)
    assert one.dtype == torch.float32
    (mine,), (theirs,) = (gradients(x.mean(), some[1]) for x in (one, after))
    assert mine.dtype == dtype
    assert (mine - right).norm() <= 1.1 * (theirs - right).norm() + 1e-3 * right.norm()


def test_autocast_takes_the_products_in_its_dtype():
    hidden, weight, bias, target = layer(8, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        one = losses.linear_squared_emd(hidden, weight, target, bias=bias)
        after = losses.squared_emd(F.linear(hidden, weight, bias), target)
    assert_close(one, after)
    mine, theirs = (gradients(x.mean(), hidden, weight) for x in (one, after))
    assert [each.dtype for each in mine] == [torch.float32] * 2
    assert_close(mine, theirs, rtol=2e-2, atol=2e-3)


@needs_library
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of a compiler
def test_compiled_without_a_break():
    hidden, weight, bias, target = layer(10, dtype=torch.float32)
    head = nn.LinearLoss(D, K, nn.SquaredEMDLoss(LINE), chunk=4)
    rows = functools.partial(losses.linear_squared_emd, bias=bias, chunk=4)
    for call in (
        lambda h: rows(h, weight, target).square().sum(),
        lambda h: head(h, target),
    ):
        fast = torch.compile(call, fullgraph=True, backend="aot_eager")
        assert_close(fast(hidden), call(hidden))
        assert_close(gradients(fast(hidden), hidden), gradients(call(hidden), hidden))


# The criterion that owns its layer

WEIGHT = torch.linspace(0.2, 1.5, K)
GRID = Bins.uniform(0, 1, K)


def criteria(reduction):
    ce = functools.partial(nn.CrossEntropyLoss, reduction=reduction)
    emd = functools.partial(nn.SquaredEMDLoss, GRID.line(), reduction=reduction)
    crps = functools.partial(nn.HistogramCRPSLoss, GRID, reduction=reduction)
    return {
        "ce": ce(),
        "ce, weights": ce(WEIGHT),
        "ce, weights, smoothed": ce(WEIGHT, label_smoothing=0.1),
        "emd2, weights": emd(weight=WEIGHT),
        "ce+emd2": nn.MixedLoss([(1.0, ce()), (0.5, emd())]),
        "ce+emd2, other weights": nn.MixedLoss([(1.0, ce(WEIGHT)), (0.5, emd())]),
        "crps": crps(),
        "nll": nn.HistogramNLLLoss(GRID, reduction=reduction),
        "crps, ignored": crps(ignore_nan=True),
        "ce+crps": nn.MixedLoss([(1.0, ce()), (0.5, crps())]),
        "ce+crps, ignored": nn.MixedLoss([(1.0, ce()), (0.5, crps(ignore_nan=True))]),
    }


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", criteria("mean"))
def test_a_criterion_with_its_layer_is_the_criterion_after_it(name, reduction):
    criterion = criteria(reduction)[name]
    head = nn.LinearLoss(D, K, criterion, dim=1, chunk=5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    draw = functools.partial(torch.rand, generator=generator, dtype=torch.float64)
    hidden = draw(3, D, 4).requires_grad_()
    assert head.bias is not None
    inputs = hidden, head.weight, head.bias
    if "crps" in name or name == "nll":
        target = draw(3, 4)
        if "ignored" in name:
            target[0, 1] = torch.nan
    else:
        target = (K * draw(3, 4)).long()
        target[0, 1] = -100
    for weight in (None, draw(3, 4) * (draw(3, 4) > 0.3)):
        one = head(hidden, target, weight)
        after = criterion(head.logits(hidden), target, weight)
        assert_close(one, after)
        upstream = torch.ones_like(one) * 0.7
        mine, theirs = (torch.autograd.grad(x, inputs, upstream) for x in (one, after))
        assert_close(mine, theirs)


def test_hidden_states_of_ignored_rows_may_be_anything():
    head = nn.LinearLoss(D, K, nn.SquaredEMDLoss())
    hidden, _, _, target = layer(6, dtype=torch.float32)
    expected = head(hidden[1:], target[1:])
    (right,) = torch.autograd.grad(expected, head.weight)
    target[0] = -100
    with torch.no_grad():
        hidden[0] = torch.nan
    loss = head(hidden, target)
    loss.backward()
    assert_close(loss, expected)
    assert_close(head.weight.grad, right)
    assert hidden.grad is not None
    assert not hidden.grad[0].any()
    nothing = head(hidden, torch.full_like(target, -100))
    assert nothing.item() == 0


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize(
    "name", ["ce", "ce, weights, smoothed", "emd2, weights", "ce+emd2, other weights"]
)
def test_probabilities_are_taken_in_chunks(name, images, reduction, monkeypatch):
    """In whatever order they lie in memory; what a masked row holds is never read."""
    criterion = criteria(reduction)[name]
    dim = 1 if images else -1
    head = nn.LinearLoss(D, K, criterion, dim=dim, chunk=5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    draw = functools.partial(torch.rand, generator=generator, dtype=torch.float64)
    hidden, soft = draw(3, D, 4).requires_grad_(), draw(3, K, 4).softmax(1)
    assert head.bias is not None
    inputs = hidden, head.weight, head.bias
    given, axis = (hidden, soft), -1 if images else 1
    if not images:
        given = hidden.movedim(1, -1), soft.movedim(1, -1)
    mask = draw(3, 4) * (draw(3, 4) > 0.3)
    for weight in (None, mask):
        if weight is not None:
            soft.movedim(1, -1)[weight == 0] = torch.nan
        logits = head.logits(given[0])
        after = criterion(
            *(x.movedim(-1, 1) if axis == 1 else x for x in (logits, given[1])), weight
        )
        with monkeypatch.context() as patched:
            patched.setattr(F, "linear", None)  # whole logits would need it
            one = head(*given, weight)
        assert_close(one, after)
        upstream = torch.ones_like(one) * 0.7
        mine, theirs = (torch.autograd.grad(x, inputs, upstream) for x in (one, after))
        assert_close(mine, theirs)


def test_a_target_that_is_learned_gets_its_gradient():
    """Chunks give gradients of the layer alone: then the plain form runs."""
    hidden, weight, bias, _ = layer(6)
    soft = hidden.new_full((6, K), 1 / K).requires_grad_()
    value = torch.linspace(0.1, 0.9, 6, dtype=torch.float64).requires_grad_()
    logits = F.linear(hidden, weight, bias)
    head = nn.LinearLoss(D, K, nn.CrossEntropyLoss(), dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(weight)
        assert head.bias is not None
        head.bias.copy_(bias)
    for one, after, target in (
        (
            losses.linear_cross_entropy(hidden, weight, soft, bias=bias).mean(),
            losses.cross_entropy(logits, soft).mean(),
            soft,
        ),
        (
            losses.linear_crps(hidden, weight, value, GRID, bias=bias).sum(),
            losses.histogram_crps(logits, value, GRID).sum(),
            value,
        ),
        (head(hidden, soft), losses.cross_entropy(logits, soft).mean(), soft),
    ):
        mine, theirs = (
            torch.autograd.grad(x, (target, hidden), retain_graph=True)
            for x in (one, after)
        )
        assert_close(mine, theirs)


def test_a_name_like_that_of_pytorch_leads_to_the_class():
    with pytest.raises(AttributeError, match=r"LinearLoss\(.*, SquaredEMDLoss\("):
        nn.LinearSquaredEMDLoss  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'LinearThing'$"):
        nn.LinearThing  # noqa: B018


def test_probabilities_and_one_row():
    head = nn.LinearLoss(D, K, nn.CrossEntropyLoss())
    hidden, _, _, target = layer(6, dtype=torch.float32)
    soft = F.one_hot(target, K).float()
    assert_close(head(hidden, soft), head(hidden, target))
    assert_close(head(hidden[0], target[0]), head(hidden[:1], target[:1]))


def test_it_is_saved_and_shares_the_weight_of_an_embedding():
    embedding = torch.nn.Embedding(K, D)
    assert isinstance(embedding.weight, torch.nn.Parameter)
    head = nn.LinearLoss(D, K, nn.SquaredEMDLoss(), bias=False)
    head.weight = embedding.weight
    assert list(head.state_dict()) == ["weight"]
    head(embedding(torch.arange(3)), torch.arange(3)).backward()
    assert embedding.weight.grad is not None


def test_mistakes_are_named():
    hidden, weight, bias, target = layer(5)
    ask = losses.linear_squared_emd
    with pytest.raises(ValueError, match="hidden must have 6 features on axis -1"):
        ask(hidden[:, :4], weight, target)
    with pytest.raises(
        ValueError, match=r"weight must have shape \(classes, features\)"
    ):
        ask(hidden, weight[0], target)
    with pytest.raises(ValueError, match="bias must hold one number for each of 9"):
        ask(hidden, weight, target, bias=bias[:3])
    with pytest.raises(TypeError, match="hidden and weight must have one dtype"):
        ask(hidden.float(), weight, target)
    with pytest.raises(ValueError, match="chunk must be a number of rows"):
        ask(hidden, weight, target, chunk=0)
    with pytest.raises(ValueError, match="one class index for each row"):
        ask(hidden, weight, target[:3])
    with pytest.raises(ValueError, match="logits must have 4 classes"):
        ask(hidden, weight, target, Line.regular(4))
    with pytest.raises(RuntimeError, match='impl="cpp" cannot run here'):
        ask(hidden, weight, target, Circle.regular(K), impl="cpp")
    mixed = nn.MixedLoss([(1.0, nn.CrossEntropyLoss())], balance="ratio")
    with pytest.raises(ValueError, match="MixedLoss without balance"):
        nn.LinearLoss(D, K, mixed)
    with pytest.raises(
        TypeError, match=r"one of offby\.nn that is computed row by row"
    ):
        nn.LinearLoss(D, K, torch.nn.CrossEntropyLoss())
    with pytest.raises(IndexError, match="got class 9 of 9 classes"):
        nn.LinearLoss(D, K, nn.CrossEntropyLoss()).double()(hidden, target * 0 + K)
