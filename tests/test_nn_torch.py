"""Drop-in means drop-in: every criterion beside `torch.nn.CrossEntropyLoss`.

PyTorch's own cases (its ModuleInfo and OpInfo of the cross-entropy) run over ours.
Where ours departs by design the case is turned into one that both accept: negative
class weights and probabilities that do not sum to 1 are refused.
"""

import functools
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from offby import Circle, Costs, Line, losses, nn
from tests.cases import points, tree

# PyTorch's own checks use what it is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])

KINDS = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss, losses.cross_entropy),
    "WassersteinLoss": (nn.WassersteinLoss, losses.wasserstein),
    "SquaredEMDLoss": (nn.SquaredEMDLoss, losses.squared_emd),
    "CumulativeCrossEntropyLoss": (
        nn.CumulativeCrossEntropyLoss,
        losses.cumulative_cross_entropy,
    ),
    "SinkhornLoss": (
        functools.partial(nn.SinkhornLoss, epsilon=1.0),
        functools.partial(losses.sinkhorn, epsilon=1.0),
    ),
    "SquaredMassLoss": (
        functools.partial(nn.SquaredMassLoss, Costs.equal(4)),
        lambda z, y: losses.squared_mass(z, y, Costs.equal(4)),
    ),
    "BrierLoss": (nn.BrierLoss, losses.brier),
    "CDWCrossEntropyLoss": (nn.CDWCrossEntropyLoss, losses.cdw_cross_entropy),
    "SLACELoss": (nn.SLACELoss, losses.slace),
    "MixedLoss": (
        lambda **settings: nn.MixedLoss(
            [
                (1.0, nn.CrossEntropyLoss(**settings)),
                (0.5, nn.SquaredEMDLoss(**settings)),
            ]
        ),
        lambda z, y: losses.cross_entropy(z, y) + 0.5 * losses.squared_emd(z, y),
    ),
}
every_kind = pytest.mark.parametrize("name", KINDS)
SHAPES = [(4,), (5, 4), (4, 4), (4, 4, 4), (4, 4, 4, 4), (3, 4, 2, 1), (2, 4, 3, 2, 3)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def classes_axis(shape):
    """Where PyTorch says the classes are."""
    return 0 if len(shape) == 1 else 1


def drawn(shape):
    generator = torch.Generator().manual_seed(0)
    axis = classes_axis(shape)
    logits = torch.randn(shape, generator=generator)
    rows = shape[:axis] + shape[axis + 1 :]
    return logits, torch.randint(4, rows, generator=generator)


@every_kind
@every_shape
@every_reduction
def test_classes_are_on_the_axis_where_torch_has_them(name, shape, reduction):
    """Also where every axis has four entries, and nothing tells them apart."""
    kind, function = KINDS[name]
    logits, target = drawn(shape)
    axis = classes_axis(shape)
    rows = function(logits.movedim(axis, -1), target)
    right = rows if reduction == "none" else getattr(rows, reduction)()
    assert_close(kind(reduction=reduction)(logits, target), right)
    if name == "CrossEntropyLoss":
        theirs = torch.nn.CrossEntropyLoss(reduction=reduction)(logits, target)
        assert_close(right, theirs)
    q = torch.nn.functional.one_hot(target, 4).float()
    soft = kind(reduction=reduction)(logits, q.movedim(-1, axis))
    assert_close(soft, right)


@every_kind
def test_sequences_say_that_their_classes_are_last(name):
    kind, function = KINDS[name]
    logits, target = torch.randn(3, 4, 4), torch.randint(4, (3, 4))
    assert_close(kind(dim=-1)(logits, target), function(logits, target).mean())
    long = torch.randn(3, 5, 4)
    with pytest.raises(ValueError, match="dim=-1"):
        kind()(long, torch.randint(4, (3, 5)))


@pytest.mark.parametrize(
    "name", ["HistogramNLLLoss", "HistogramCRPSLoss", "HistogramWassersteinLoss"]
)
@every_shape
def test_bins_are_on_the_axis_of_classes(name, shape):
    from tests.cases import grid

    logits, target = drawn(shape)
    value = target.float() / 2
    function = getattr(losses, "histogram_" + name[9:-4].lower())
    axis = classes_axis(shape)
    right = function(logits.movedim(axis, -1), value, grid(4))
    assert_close(getattr(nn, name)(grid(4), reduction="none")(logits, value), right)
    assert_close(function(logits, value, grid(4), dim=axis), right)


@pytest.mark.parametrize("name", [k for k in KINDS if k not in ("MixedLoss",)])
def test_functions_take_an_axis(name):
    function = getattr(
        losses, {"CrossEntropyLoss": "cross_entropy"}.get(name, ""), None
    )
    settings: dict[str, Any] = {}
    if function is None:
        _, function = KINDS[name]
        by_name = {
            "WassersteinLoss": losses.wasserstein,
            "SquaredEMDLoss": losses.squared_emd,
            "CumulativeCrossEntropyLoss": losses.cumulative_cross_entropy,
            "SinkhornLoss": losses.sinkhorn,
            "SquaredMassLoss": losses.squared_mass,
            "BrierLoss": losses.brier,
            "CDWCrossEntropyLoss": losses.cdw_cross_entropy,
            "SLACELoss": losses.slace,
        }
        function = by_name[name]
        if name == "SinkhornLoss":
            settings = {"epsilon": 1.0}
        if name == "SquaredMassLoss":
            settings = {"ground": Costs.equal(4)}
    logits, target = drawn((3, 4, 2))
    right = function(logits.movedim(1, -1), target, **settings)
    assert_close(function(logits, target, dim=1, **settings), right)
    q = torch.nn.functional.one_hot(target, 4).float().movedim(-1, 1)
    assert_close(function(logits, q, dim=1, **settings), right)
    with pytest.raises(ValueError, match="dim must be an axis of logits, got 3"):
        function(logits, target, dim=3, **settings)


@every_kind
@every_reduction
def test_a_batch_of_no_rows_has_a_loss_and_a_graph(name, reduction):
    for shape in ((0, 4), (2, 4, 0), (0, 4, 3, 2)):
        logits = torch.randn(shape, requires_grad=True)
        rows = shape[:1] + shape[2:]
        loss = KINDS[name][0](reduction=reduction)(logits, torch.zeros(rows).long())
        loss.sum().backward()
        assert logits.grad is not None
        assert not loss.sum()


def test_arguments_have_the_names_of_torch():
    logits, target = drawn((5, 4))
    right = torch.nn.CrossEntropyLoss()(logits, target)
    assert_close(nn.CrossEntropyLoss()(input=logits, target=target), right)
    weight = torch.tensor([1.0, 2.0, 0.5, 1.5])
    right = torch.nn.CrossEntropyLoss(weight)(logits, target)
    assert_close(nn.CrossEntropyLoss(weight)(logits, target), right)
    assert_close(nn.CrossEntropyLoss(weight.tolist())(logits, target), right)


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.0, 1.5]])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@every_reduction
@pytest.mark.parametrize("soft", [False, True])
def test_label_smoothing_is_that_of_torch(weight, ignore_index, share, reduction, soft):
    logits, target = drawn((6, 4, 3))
    goal = torch.randn(6, 4, 3).softmax(1) if soft else target
    weight = None if weight is None else torch.tensor(weight)
    settings: dict[str, Any] = {
        "weight": weight,
        "reduction": reduction,
        "label_smoothing": share,
    }
    if not soft:
        settings["ignore_index"] = ignore_index
    one, other = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    ours = nn.CrossEntropyLoss(**settings)(one, goal)
    theirs = torch.nn.CrossEntropyLoss(**settings)(other, goal)
    assert_close(ours, theirs)
    ours.sum().backward()
    theirs.sum().backward()
    assert_close(one.grad, other.grad)


def test_spread_mass_on_an_impossible_class_without_weight_costs_nothing():
    logits, target = torch.tensor([[0.0, -torch.inf, 1.0]]), torch.tensor([0])
    smooth = nn.CrossEntropyLoss([1.0, 0.0, 1.0], label_smoothing=0.3)
    assert smooth(logits, target).isfinite()
    assert nn.CrossEntropyLoss(label_smoothing=0.3)(logits, target).isinf()


def test_the_mean_of_weight_times_loss_is_a_reduction_by_hand():
    """The recipe of docs/pytorch.md for priorities."""
    logits, target = drawn((5, 4))
    priority = torch.rand(5)
    by_hand = (priority * losses.squared_emd(logits, target)).mean()
    rows = nn.SquaredEMDLoss(reduction="none")(logits, target)
    assert_close((priority * rows).mean(), by_hand)
    divided = nn.SquaredEMDLoss()(logits, target, priority)
    assert_close(divided * priority.mean(), by_hand)


# PyTorch's own cases


def module_cases(dtype, requires_grad=False):
    pytest.importorskip("expecttest")
    from torch.testing._internal import common_modules

    (info,) = (
        each
        for each in common_modules.module_db
        if each.module_cls is torch.nn.CrossEntropyLoss
    )
    torch.manual_seed(0)
    return info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=requires_grad, training=True
    )


def op_cases(dtype, requires_grad=False):
    pytest.importorskip("expecttest")
    from torch.testing._internal import common_methods_invocations

    (info,) = (
        each
        for each in common_methods_invocations.op_db
        if each.name == "nn.functional.cross_entropy"
    )
    torch.manual_seed(0)
    for sample in info.sample_inputs("cpu", dtype, requires_grad=requires_grad):
        target, settings = sample.args[0], {**sample.kwargs, **accepted(sample.kwargs)}
        if target.is_floating_point():
            with torch.no_grad():
                target = (target / target.sum(1, keepdim=True)).detach()
        yield sample.input, target, settings


def accepted(settings):
    """Class weights that both accept."""
    weight = settings.get("weight")
    return {} if weight is None else {"weight": weight.detach().abs()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_module_cases_of_torch(dtype):
    cases = module_cases(dtype)
    assert len(cases) > 100
    for case in cases:
        settings = dict(case.constructor_input.kwargs)
        settings |= accepted(settings)
        logits, target = case.forward_input.args
        one = logits.detach().clone().requires_grad_()
        other = logits.detach().clone().requires_grad_()
        ours = nn.CrossEntropyLoss(**settings)(one, target)
        theirs = torch.nn.CrossEntropyLoss(**settings)(other, target)
        name = case.desc
        # Where no row counts theirs is NaN, ours 0.
        right = theirs.nan_to_num()
        assert_close(ours, right, msg=lambda m, n=name: f"{n}: {m}")
        ours.sum().backward()
        theirs.sum().backward()
        assert other.grad is not None
        right = other.grad.nan_to_num()
        assert_close(one.grad, right, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_op_cases_of_torch(dtype):
    n = 0
    for logits, target, given in op_cases(dtype):
        settings: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        wide: dict[str, Any] = {
            k: v.float() if isinstance(v, torch.Tensor) and dtype.itemsize == 2 else v
            for k, v in settings.items()
        }
        ours = nn.CrossEntropyLoss(**settings)(logits, target)
        cast = torch.promote_types(dtype, torch.float32)
        goal = target.to(cast) if target.is_floating_point() else target
        theirs = torch.nn.functional.cross_entropy(logits.to(cast), goal, **wide)
        assert ours.dtype == cast  # half precision in, float32 out
        assert_close(
            ours, theirs, rtol=1e-3 if dtype.itemsize == 2 else 1e-5, atol=1e-6
        )
        n += 1
    assert n > 15


def test_derivatives_of_the_op_cases_of_torch():
    """First and second, backward and forward, in batches, and under vmap."""
    for logits, target, settings in op_cases(torch.float64):
        criterion = nn.CrossEntropyLoss(**settings)
        at = logits.detach().clone().requires_grad_()
        call = functools.partial(_against, criterion, target)
        checks = {"check_forward_ad": True, "check_batched_grad": True}
        assert torch.autograd.gradcheck(call, at, **checks)
        assert torch.autograd.gradgradcheck(call, at, check_batched_grad=True)
        pair = torch.stack([logits.detach(), 2 * logits.detach()])
        both = torch.func.vmap(call)(pair)
        assert_close(both, torch.stack([call(each) for each in pair]))


def _against(criterion, target, logits):
    return criterion(logits, target)


def test_error_cases_of_torch_are_refused():
    pytest.importorskip("expecttest")
    from torch.testing._internal import common_modules

    (info,) = (
        each
        for each in common_modules.module_db
        if each.module_cls is torch.nn.CrossEntropyLoss
    )
    make = info.module_error_inputs_func
    if make is None:
        pytest.skip("this version has none")
    cases = make(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    )
    for case in cases:
        one = case.module_error_input
        with pytest.raises((TypeError, ValueError, RuntimeError, IndexError)):
            nn.CrossEntropyLoss(**one.constructor_input.kwargs)(*one.forward_input.args)


# Transforms, for every criterion

GROUNDS = {
    "a line": nn.SquaredEMDLoss(Line([0, 1, 3, 7])),
    "a circle": nn.WassersteinLoss(Circle.regular(4)),
    "costs": nn.SquaredEMDLoss(points(4)),
    "squared mass": nn.SquaredMassLoss(points(4)),
    "brier": nn.BrierLoss(),
    "distance-weighted": nn.CDWCrossEntropyLoss(points(4)),
    "slace": nn.SLACELoss(Line([0, 1, 3, 7])),
    "a tree": nn.CumulativeCrossEntropyLoss(tree(4)),
    "class weights": nn.CrossEntropyLoss(weight=[1.0, 2.0, 0.5, 1.0]),
    "smoothed": nn.CrossEntropyLoss(weight=[1.0, 2.0, 0.5, 1.0], label_smoothing=0.1),
    "a mix": nn.MixedLoss(
        [(1.0, nn.CrossEntropyLoss()), (0.5, nn.SquaredEMDLoss(Line([0, 1, 3, 7])))],
        balance="ratio",
    ),
}
every_ground = pytest.mark.parametrize("name", GROUNDS)


@every_ground
def test_gradients_of_single_examples(name):
    criterion = GROUNDS[name]
    logits, target = drawn((6, 4))
    each = torch.func.vmap(torch.func.grad(lambda z, y: criterion(z, y)))
    single = each(logits, target)
    for row, (z, y) in enumerate(zip(logits, target, strict=True)):
        z = z.clone().requires_grad_()
        (right,) = torch.autograd.grad(criterion.eval()(z, y), z)
        criterion.train()
        assert_close(single[row], right)


@pytest.mark.parametrize("tails", ["none", "half-normal"])
@pytest.mark.parametrize("name", ["NLL", "CRPS", "Wasserstein"])
def test_gradients_of_single_numbers(name, tails):
    from offby import Bins

    bins = Bins([0, 1, 1.5, 4, 6], tails=tails)
    criterion = getattr(nn, f"Histogram{name}Loss")(bins)
    logits, _ = drawn((6, 4))
    value = torch.linspace(0.2, 5.5, 6)
    single = torch.func.vmap(torch.func.grad(lambda z, y: criterion(z, y)))
    rows = getattr(losses, f"histogram_{name.lower()}")
    at = logits.clone().requires_grad_()
    (right,) = torch.autograd.grad(rows(at, value, bins).sum(), at)
    assert_close(single(logits, value), right)


@every_ground
def test_autocast_changes_nothing_for_logits_in_float32(name):
    criterion = GROUNDS[name].eval()
    logits, target = drawn((6, 4))
    for goal in (target, torch.randn(6, 4).softmax(1)):
        found = []
        for enabled in (False, True):
            at = logits.clone().requires_grad_()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                if name == "a circle" and goal.is_floating_point():
                    goal = target
                loss = criterion(at, goal)
                loss.backward()  # inside, where the backward pass could be cast too
            found.append((loss.detach(), at.grad))
        assert_close(found[0], found[1])


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.SquaredEMDLoss])
def test_class_weights_of_half_precision_targets_are_summed_in_float32(kind):
    weight, q = torch.rand(64) + 0.1, torch.randn(8, 64).softmax(1).bfloat16()
    logits = torch.randn(8, 64)
    criterion = kind(weight=weight)
    assert_close(criterion(logits, q), criterion(logits, q.float()))


@every_ground
def test_a_model_is_exported_with_its_criterion(name):
    if name == "a mix":
        criterion = nn.MixedLoss(
            [(1.0, nn.CrossEntropyLoss()), (1.0, GROUNDS["a line"])]
        )
    else:
        criterion = GROUNDS[name]

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.criterion = torch.nn.Linear(3, 4), criterion

        def forward(self, x, y):
            return self.criterion(self.head(x), y)

    model = Model().eval()
    given = torch.randn(5, 3), torch.tensor([0, 1, -100, 3, 2])
    exported = torch.export.export(model, given)
    assert_close(exported.module()(*given), model(*given))


@pytest.mark.parametrize(
    "grounds",
    [
        (Line([0, 1, 3, 7]), Line([0, 5, 6, 7])),
        (Circle.regular(4), Circle([0, 1, 2, 3], period=9)),
        (Costs.equal(4), points(4)),
    ],
    ids=["lines", "circles", "costs"],
)
@pytest.mark.parametrize("kind", [nn.SquaredEMDLoss, nn.WassersteinLoss])
def test_stacked_criteria_have_grounds_of_their_own(kind, grounds):
    """As an ensemble has under `vmap`. Each once had the ground of the first."""
    criteria = [kind(ground, reduction="none") for ground in grounds]
    _, buffers = torch.func.stack_module_state(criteria)
    for target in (torch.randint(4, (2, 3)), torch.randn(2, 3, 4).softmax(-1)):
        z = torch.randn(2, 3, 4)
        got = torch.func.vmap(
            lambda b, z, y: torch.func.functional_call(criteria[0], b, (z, y))
        )(buffers, z, target)
        right = [each(*pair) for each, *pair in zip(criteria, z, target, strict=True)]
        assert_close(got, torch.stack(right))
