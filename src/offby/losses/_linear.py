"""The last linear layer and the loss in one: no logits. See docs/linear.md."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from offby import kernels
from offby._checks import check_target, check_value
from offby.bins import Bins
from offby.bins.intervals import check_bins
from offby.distribution.circular import check_on_a_line
from offby.grounds import Ground, as_ground, n_classes_of
from offby.losses._cross_entropy import cross_entropy
from offby.losses._cumulative import cumulative_cross_entropy
from offby.losses._histogram import histogram_crps, histogram_nll
from offby.losses._squared_emd import squared_emd
from offby.losses._wasserstein import wasserstein


def linear_loss(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "classes features"],
    loss: Callable[..., Tensor],
    *targets: Tensor,
    bias: Float[Tensor, " classes"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    r"""Any loss of the outputs of a linear layer, a chunk of rows at a time.

    Equal to `loss(F.linear(hidden, weight, bias), *targets)`, but the logits exist for
    a chunk of rows only. The functions below, such as `linear_squared_emd`, are this
    for one loss, and `offby.nn.LinearLoss` for a criterion; they compute sums of losses
    in one pass.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        loss: From logits (rows, classes) and targets to one value for each row. It must
            treat every row by itself, whichever others it comes with.
        targets: What `loss` takes beside the logits: tensors whose first axes are those
            of the rows.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`; the last by default.

    Returns:
        One loss per row.

    References:
        Hsu et al. (2024), Liger Kernel: efficient Triton kernels for LLM training,
        arXiv:2410.10989.
        Wijmans et al. (2024), Cut your losses in large-vocabulary language models,
        arXiv:2411.09009.

    >>> import torch
    >>> hidden, weight = torch.ones(2, 3), torch.zeros(4, 3)
    >>> from offby.losses import cross_entropy, squared_emd
    >>> both = lambda z, y: cross_entropy(z, y) + 0.5 * squared_emd(z, y)
    >>> linear_loss(hidden, weight, both, torch.tensor([0, 1]))
    tensor([1.8238, 1.5738])
    """
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)
    rows = layer.rows
    for target in targets:
        if target.shape[: len(rows)] != rows:
            raise ValueError(
                "each target must have one entry for each row of hidden, on axes of "
                f"shape {tuple(rows)}, got shape {tuple(target.shape)}"
            )
    return _per_row(kernels.Fused(layer, loss, targets))


def linear_cross_entropy(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "classes features"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    *,
    bias: Float[Tensor, " classes"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    """:func:`cross_entropy` of the outputs of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        target: Class indices, one for each row, or probabilities.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`, and of the classes in probabilities; the
            last by default.
        impl: "torch" forces the plain form with whole logits, "cpp" or "triton" a
            kernel; see `offby.kernels`.

    Returns:
        One loss per row, in nats.

    >>> import torch
    >>> linear_cross_entropy(torch.ones(1, 3), torch.zeros(4, 3), torch.tensor([0]))
    tensor([1.3863])
    """
    term = kernels.Term("cross_entropy")
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, impl=impl)

    return _of_classes(layer, target, loss, term, None, dim, impl)


def linear_squared_emd(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "classes features"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    bias: Float[Tensor, " classes"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    """:func:`squared_emd` of the outputs of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        target: Class indices, one for each row, or probabilities.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`, and of the classes in probabilities; the
            last by default.
        impl: "torch" forces the plain form with whole logits, "cpp" or "triton" a
            kernel; see `offby.kernels`.

    Returns:
        One loss per row, in units of the ground distance.

    Raises:
        ValueError: On asymmetric costs.

    >>> import torch
    >>> hidden, weight = torch.ones(2, 3), torch.zeros(4, 3)
    >>> linear_squared_emd(hidden, weight, torch.tensor([0, 1]))
    tensor([0.8750, 0.3750])
    """
    ground = as_ground(ground)
    term = kernels.Term("squared_emd", ground)
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return squared_emd(z, y, ground, impl=impl)

    return _of_classes(layer, target, loss, term, n_classes_of(ground), dim, impl)


def linear_wasserstein(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "classes features"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    p: float = 1,
    bias: Float[Tensor, " classes"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    """:func:`wasserstein` of the outputs of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        target: Class indices, one for each row, or probabilities.
        ground: How far apart the classes are; `Line.regular(K)` by default.
        p: Power of the distance, at least 1.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`, and of the classes in probabilities; the
            last by default.
        impl: "torch" forces the plain form with whole logits, "cpp" or "triton" a
            kernel; see `offby.kernels`.

    Returns:
        One loss per row, in units of the ground distance to the power p.

    >>> import torch
    >>> linear_wasserstein(torch.ones(1, 3), torch.zeros(4, 3), torch.tensor([0]))
    tensor([1.5000])
    """
    ground = as_ground(ground)
    term = kernels.Term("wasserstein", ground, power=p)
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return wasserstein(z, y, ground, p=p, impl=impl)

    return _of_classes(layer, target, loss, term, n_classes_of(ground), dim, impl)


def linear_cumulative_cross_entropy(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "classes features"],
    target: Int[Tensor, "*batch"] | Float[Tensor, "*batch classes"],
    ground: Ground | None = None,
    *,
    bias: Float[Tensor, " classes"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    """:func:`cumulative_cross_entropy` of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        target: Class indices, one for each row, or probabilities.
        ground: A `Line` or a `Tree`; `Line.regular(K)` by default.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`, and of the classes in probabilities; the
            last by default.
        impl: "torch" forces the plain form with whole logits, "cpp" or "triton" a
            kernel; see `offby.kernels`.

    Returns:
        One loss per row, in nats times the unit of the ground distance.

    Raises:
        NotImplementedError: On another ground.

    >>> import torch
    >>> hidden, weight = torch.ones(1, 2), torch.zeros(3, 2)
    >>> linear_cumulative_cross_entropy(hidden, weight, torch.tensor([0]))
    tensor([1.5041])
    """
    ground = as_ground(ground)
    term = kernels.Term("cumulative_cross_entropy", ground)
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cumulative_cross_entropy(z, y, ground, impl=impl)

    return _of_classes(layer, target, loss, term, n_classes_of(ground), dim, impl)


def linear_crps(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "bins features"],
    value: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    bias: Float[Tensor, " bins"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
    impl: kernels.Impl = "auto",
) -> Float[Tensor, "*batch"]:
    """:func:`histogram_crps` of the outputs of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        value: The true numbers, in the units of the bins. NaN gives NaN.
        bins: The grid.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`; the last by default.
        impl: "torch" forces the plain form with whole logits, "cpp" or "triton" a
            kernel; see `offby.kernels`.

    Returns:
        One loss per row, in the units of the target.

    >>> import torch
    >>> hidden, weight = torch.ones(1, 3), torch.zeros(4, 3)
    >>> grid = Bins.uniform(0, 8, 4)
    >>> linear_crps(hidden, weight, torch.tensor([4.0]), grid)
    tensor([0.6667])
    """
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)
    check_bins(bins)
    check_value(layer.stand_in, value, bins.n_bins)
    check_on_a_line("histogram_crps", bins)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return histogram_crps(z, y, bins, impl=impl)

    terms = [kernels.Term("histogram_crps", bins, value=value)]
    return _per_row(kernels.Fused(layer, loss, [value], terms, impl=impl))


def linear_nll(
    hidden: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "bins features"],
    value: Float[Tensor, "*batch"],
    bins: Bins,
    *,
    bias: Float[Tensor, " bins"] | None = None,
    chunk: int | None = None,
    dim: int = -1,
) -> Float[Tensor, "*batch"]:
    """:func:`histogram_nll` of the outputs of a linear layer, without its logits.

    Args:
        hidden: What goes into the layer, features on the last axis.
        weight: Of the layer, as that of `torch.nn.Linear`.
        value: The true numbers, in the units of the bins. NaN gives NaN.
        bins: The grid.
        bias: Of the layer.
        chunk: Rows whose logits are held at a time; chosen by default.
        dim: Axis of the features in `hidden`; the last by default.

    Returns:
        One loss per row, in nats (of a density per unit of the target).

    >>> import torch
    >>> hidden, weight = torch.ones(1, 3), torch.zeros(4, 3)
    >>> grid = Bins.uniform(0, 8, 4)
    >>> linear_nll(hidden, weight, torch.tensor([1.0]), grid)
    tensor([2.0794])
    """
    layer = kernels.last_layer(hidden, weight, bias, dim=dim, chunk=chunk)
    check_bins(bins)
    check_value(layer.stand_in, value, bins.n_bins)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return histogram_nll(z, y, bins)

    return _per_row(kernels.Fused(layer, loss, [value]))


def _of_classes(
    layer: kernels.LastLayer,
    target: Tensor,
    loss: Callable[..., Tensor],
    term: kernels.Term,
    n_classes: int | None,
    dim: int,
    impl: kernels.Impl,
) -> Tensor:
    if target.is_floating_point() and target.ndim == layer.hidden.ndim:
        target = target.movedim(dim, -1)
    indices = check_target(layer.stand_in, target, n_classes)
    index = target if indices else None
    terms = [term] if indices else None
    return _per_row(kernels.Fused(layer, loss, [target], terms, index, impl))


def _per_row(fused: kernels.Fused) -> Tensor:
    found = fused.per_row()
    return fused.plain() if found is None else found
