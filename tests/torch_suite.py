"""Every criterion under PyTorch's machinery: `make torch-suite`, some minutes.

The fast part, with PyTorch's own cases of the cross-entropy, is test_nn_torch.py. Here
each criterion of a table meets each way of calling it: compiled, exported, traced,
transformed, differentiated twice, batched. The right value is that of a plain call.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from offby import Bins, Circle, Costs, Line, Tree, nn

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:torch.searchsorted",  # under vmap its arguments lie otherwise in memory
)

LINE = Line([0, 1, 3, 7])
TREE = Tree.from_paths(["a/b", "a/c", "d/e/f", "d/g"])
COSTS = Costs([[0, 1, 4, 2], [1, 0, 3, 2], [4, 3, 0, 5], [2, 2, 5, 0]])
BINS = Bins([0, 1.0, 1.5, 4, 6])
TAILS = Bins([0, 1.0, 1.5, 4, 6], tails="half-normal")

OF_CLASSES: dict[str, torch.nn.Module] = {
    "ce": nn.CrossEntropyLoss(),
    "ce, weighted": nn.CrossEntropyLoss(weight=[0.5, 1.0, 2.0, 1.5]),
    "ce, smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "emd2": nn.SquaredEMDLoss(),
    "emd2, line": nn.SquaredEMDLoss(LINE),
    "emd2, arc": nn.SquaredEMDLoss(Circle.regular(4)),
    "emd2, chord": nn.SquaredEMDLoss(Circle.regular(4, "chord")),
    "emd2, tree": nn.SquaredEMDLoss(TREE),
    "emd2, costs": nn.SquaredEMDLoss(COSTS),
    "emd1": nn.WassersteinLoss(),
    "emd1, p = 2": nn.WassersteinLoss(LINE, p=2),
    "emd1, arc": nn.WassersteinLoss(Circle.regular(4)),
    "emd1, tree": nn.WassersteinLoss(TREE),
    "emd1, costs": nn.WassersteinLoss(COSTS),
    "sinkhorn": nn.SinkhornLoss(LINE, epsilon=1.0),
    "cce": nn.CumulativeCrossEntropyLoss(LINE),
    "cce, tree": nn.CumulativeCrossEntropyLoss(TREE),
    "mass": nn.SquaredMassLoss(LINE),
    "brier": nn.BrierLoss(),
    "cdw-ce": nn.CDWCrossEntropyLoss(LINE),
    "slace": nn.SLACELoss(LINE),
    "mix": nn.MixedLoss([(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss(LINE))]),
}
OF_NUMBERS: dict[str, torch.nn.Module] = {
    "nll": nn.HistogramNLLLoss(BINS),
    "nll, tails": nn.HistogramNLLLoss(TAILS),
    "crps": nn.HistogramCRPSLoss(BINS),
    "crps, tails": nn.HistogramCRPSLoss(TAILS),
    "wasserstein": nn.HistogramWassersteinLoss(BINS),
    "crps, missing": nn.HistogramCRPSLoss(BINS, ignore_nan=True),
}

torch.manual_seed(0)
Z = torch.randn(6, 4)
Y = torch.tensor([0, 1, 2, 3, 1, -100])
Q = torch.rand(6, 4).softmax(-1)
V = torch.tensor([0.2, 1.2, 2.0, 5.0, 3.3, 0.9])
CASES = (
    [(name, each, (Z, Y)) for name, each in OF_CLASSES.items()]
    + [(f"{name}, soft", each, (Z, Q)) for name, each in OF_CLASSES.items()]
    + [(name, each, (Z, V)) for name, each in OF_NUMBERS.items()]
)


def slopes(criterion: Callable[..., Tensor], given: tuple[Tensor, ...]):
    at = given[0].detach().clone().requires_grad_()
    loss = criterion(at, *given[1:])
    (slope,) = torch.autograd.grad(loss, at)
    return loss.detach(), slope


def compiled(criterion, given):
    torch._dynamo.reset()
    run = torch.compile(criterion, backend="aot_eager", fullgraph=True)
    assert_close(slopes(run, given), slopes(criterion, given))


def compiled_for_any_number_of_rows(criterion, given):
    torch._dynamo.reset()
    run = torch.compile(criterion, backend="aot_eager", dynamic=True)
    for n in (6, 4):
        part = tuple(each[:n] for each in given)
        assert_close(slopes(run, part), slopes(criterion, part))


class Model(torch.nn.Module):
    def __init__(self, criterion):
        super().__init__()
        self.head, self.criterion = torch.nn.Linear(4, 4), criterion

    def forward(self, x, y):
        return self.criterion(self.head(x), y)


def exported(criterion, given):
    model = Model(criterion).eval()
    program = torch.export.export(model, given)
    assert_close(program.module()(*given), model(*given))


def exported_for_any_number_of_rows(criterion, given):
    model, n = Model(criterion).eval(), torch.export.Dim("n")
    program = torch.export.export(model, given, dynamic_shapes=({0: n}, {0: n}))
    part = tuple(each[:4] for each in given)
    assert_close(program.module()(*part), model(*part))


def traced_by_fx(criterion, given):
    from torch.fx.experimental.proxy_tensor import make_fx

    graph: Any = make_fx(lambda *each: criterion(*each))(*given)
    assert_close(graph(*given), criterion(*given))


def traced_by_jit(criterion, given):
    run: Any = torch.jit.trace(criterion, given, check_trace=False)
    assert_close(run(*given), criterion(*given))


def with_fake_tensors(criterion, given):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        out = criterion(*(mode.from_tensor(each) for each in given))
    assert out.shape == ()


def on_the_meta_device(criterion, given):
    out = criterion.to("meta")(*(each.to("meta") for each in given))
    assert out.is_meta


def single_examples(criterion, given):
    given = tuple(each[:5] for each in given)  # a row that is ignored has no mean
    single = torch.func.vmap(torch.func.grad(lambda z, y: criterion(z, y)))(*given)
    right = [slopes(criterion, each)[1] for each in zip(*given, strict=True)]
    assert_close(single, torch.stack(right))


def forward_mode(criterion, given):
    along = torch.randn_like(given[0])
    jvp: Any = torch.func.jvp
    _, change = jvp(lambda z: criterion(z, given[1]), given[:1], (along,))
    # PyTorch makes float64 of the change of a number times a Python number.
    right = (slopes(criterion, given)[1] * along).sum()
    assert_close(change, right, check_dtype=False)


def second_derivatives(criterion, given):
    z, y = (
        e.double() if e.is_floating_point() else e for e in (each[:2] for each in given)
    )

    def gradient(at):
        return slopes(criterion, (at.reshape(2, 4), y))[1].reshape(-1)

    if isinstance(criterion, nn.SinkhornLoss):
        if y.is_floating_point():  # sums of float32 rows are too far off for float64
            y = y / y.sum(-1, keepdim=True)
        with pytest.raises(RuntimeError, match="first derivatives only"):
            torch.autograd.functional.hessian(lambda at: criterion(at, y), z)
        return
    step = 1e-5 * torch.eye(8, dtype=torch.float64)
    flat = z.reshape(-1)
    right = torch.stack([gradient(flat + e) - gradient(flat - e) for e in step]) / 2e-5
    hessian: Any = torch.autograd.functional.hessian
    for found in (
        hessian(lambda at: criterion(at, y), z),
        torch.func.hessian(lambda at: criterion(at, y))(z),
    ):
        assert_close(found.reshape(8, 8), right, rtol=1e-4, atol=1e-4)


def batched_gradients(criterion, given):
    at = given[0].detach().clone().requires_grad_()
    loss = criterion(at, given[1])
    (both,) = torch.autograd.grad(
        loss, at, torch.tensor([1.0, 2.0]), is_grads_batched=True
    )
    slope = slopes(criterion, given)[1]
    assert_close(both, torch.stack([slope, 2 * slope]))


def under_autocast(criterion, given):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = slopes(criterion, given)
    assert_close(found, slopes(criterion, given))


def in_inference_mode(criterion, given):
    with torch.inference_mode():
        found = criterion(*(each.clone() for each in given))
    assert_close(found.clone(), criterion(*given))


def called_functionally(criterion, given):
    buffers = dict(criterion.named_buffers())
    assert_close(
        torch.func.functional_call(criterion, buffers, given), criterion(*given)
    )


def strided(criterion, given):
    apart = tuple(torch.stack([each, each], -1)[..., 0] for each in given)
    assert_close(slopes(criterion, apart), slopes(criterion, given))


def checkpointed(criterion, given):
    from torch.utils.checkpoint import checkpoint

    at = given[0].clone().requires_grad_()
    loss = checkpoint(criterion, at, given[1], use_reentrant=False)
    (slope,) = torch.autograd.grad(loss, at)
    assert_close((loss.detach(), slope), slopes(criterion, given))


WAYS: list[Callable[[Any, tuple[Tensor, ...]], None]] = [
    compiled,
    compiled_for_any_number_of_rows,
    exported,
    exported_for_any_number_of_rows,
    traced_by_fx,
    traced_by_jit,
    with_fake_tensors,
    on_the_meta_device,
    single_examples,
    forward_mode,
    second_derivatives,
    batched_gradients,
    under_autocast,
    in_inference_mode,
    called_functionally,
    strided,
    checkpointed,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_way_gives_what_a_plain_call_gives(way, case) -> None:
    _, criterion, given = case
    way(copy.deepcopy(criterion).eval(), given)
