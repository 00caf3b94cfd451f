"""What offby accepts. Losses read shapes and dtypes only: they never wait for a GPU."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

_INDEX_DTYPES = frozenset(
    {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
)


def float_dtype(numbers: Tensor) -> torch.dtype:
    """Half precision in, float32 inside and out; float64 stays float64."""
    return torch.promote_types(numbers.dtype, torch.float32)


def at_least_float32(numbers: Tensor) -> Tensor:
    """The numbers in `float_dtype`."""
    return numbers.to(float_dtype(numbers))


def is_class(index: Tensor, n_classes: int) -> Tensor:
    """Where an index is one of the classes 0 to n_classes - 1."""
    return (index >= 0) & (index < n_classes)


def clamped(index: Tensor, n_classes: int) -> Tensor:
    """The index, moved into range so that it can address memory; see `is_class`."""
    return index.long().clamp(0, n_classes - 1)


def as_numbers(
    name: str, values: Tensor | ArrayLike, dtype: torch.dtype | None = torch.float64
) -> Tensor:
    """Numbers of a setting: a tensor stays on its device, all else is on the host.

    On the host also where the default device is another: models are built on the meta
    device to be filled later, but nothing fills a setting.
    """
    if not isinstance(values, Tensor):
        return numbers_on(torch.device("cpu"), name, values, dtype)
    if values.is_meta:
        raise ValueError(
            f"{name} must hold numbers, got a tensor on the meta device, which has "
            "none; give a list, or a tensor made with device='cpu'"
        )
    return values.detach().to(dtype or values.dtype)


def numbers_on(
    device: torch.device,
    name: str,
    values: Tensor | ArrayLike,
    dtype: torch.dtype | None = torch.float64,
) -> Tensor:
    """Numbers on a device, where a tensor keeps its slopes; no strings and no None."""
    if isinstance(values, Tensor) or torch.compiler.is_compiling():
        return torch.as_tensor(values, dtype=dtype, device=device)
    try:
        return torch.as_tensor(values, dtype=dtype, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        if any(_is_no_number(each) for each in np.asarray(values, object).flat):
            raise TypeError(no_numbers(name, values)) from error
        raise


def no_numbers(name: str, values: object) -> str:
    """The sentence for strings, and the like, where numbers are meant."""
    return (
        f"{name} must hold numbers, got {values!r:.60}; float(...) makes one of a "
        "string, and NaN stands for one that is missing"
    )


def _is_no_number(given: object) -> bool:
    return given is None or isinstance(given, str)


def on_host(values: Tensor | ArrayLike) -> np.ndarray:
    """As an array, also of a tensor that is on a device, has a gradient, or is half."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        if values.dtype in (torch.bfloat16, torch.float16):  # NumPy has no bfloat16
            values = values.float()
        return values.numpy()
    return np.asarray(values)


def check_increasing(name: str, numbers: Tensor, *, at_least: int) -> None:
    """Refuse what is not one axis of finite, increasing numbers."""
    if numbers.ndim != 1 or len(numbers) < at_least:
        raise ValueError(
            f"{name} must be one axis of at least {at_least} numbers, "
            f"got shape {tuple(numbers.shape)}"
        )
    if not bool(numbers.isfinite().all()):
        at = int((~numbers.isfinite()).nonzero()[0])
        raise ValueError(f"{name} must be finite, but {name}[{at}] = {numbers[at]:g}")
    rises = numbers.diff() > 0
    if not bool(rises.all()):
        at = int((~rises).nonzero()[0])
        raise ValueError(
            f"{name} must increase, but {name}[{at}] = {numbers[at]:g} "
            f"and {name}[{at + 1}] = {numbers[at + 1]:g}"
        )


def check_count(name: str, count: object) -> None:
    """Refuse what is no number of classes or bins."""
    # There a size is a tensor, which a graph must not depend on.
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return
    # No `Integral`: a compiler cannot look into abstract classes.
    if not isinstance(count, (int, torch.SymInt, np.integer)):
        raise TypeError(
            f"{name} must be a whole number, got {type(count).__name__}; int(...) "
            "makes one, and positions or edges go to the class itself"
        )
    if count < 1:
        raise ValueError(
            f"{name} must be at least 1, got {count}; a forecast needs a place to be"
        )


def bins_last(logits: Tensor, dim: int) -> Tensor:
    """Logits with axis `dim` moved to the end."""
    check_tensor("logits", logits)
    if dim == -1:
        return logits
    if not -logits.ndim <= dim < logits.ndim:
        raise ValueError(
            f"dim must be an axis of logits, got {dim} for shape {tuple(logits.shape)}"
        )
    return logits.movedim(dim, -1)


def classes_last(logits: Tensor, target: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Logits, and a target of probabilities, with axis `dim` moved to the end."""
    check_tensor("target", target)
    if dim != -1 and target.is_floating_point() and target.shape == logits.shape:
        target = target.movedim(dim, -1)
    return bins_last(logits, dim), target


def check_target(logits: Tensor, target: Tensor, n_classes: int | None = None) -> bool:
    """Refuse logits and targets that do not fit; say whether the target is indices."""
    check_logits(logits, n_classes)
    check_tensor("target", target)
    if target.dtype in _INDEX_DTYPES:
        if target.shape != logits.shape[:-1]:
            raise ValueError(
                "target must hold one class index for each row of logits, shape "
                f"{tuple(logits.shape[:-1])}, got shape {tuple(target.shape)}; "
                "classes go on the last axis of logits"
            )
        return True
    if not target.is_floating_point():
        raise TypeError(
            "target must hold integer class indices or floating probabilities, "
            f"got dtype {target.dtype}; convert it with `.long()` or `.float()`"
        )
    if target.shape != logits.shape:
        raise ValueError(
            "a floating target holds probabilities and must have the shape of logits, "
            f"{tuple(logits.shape)}, got shape {tuple(target.shape)}; class indices "
            "must be integers (`.long()`)"
        )
    return False


def check_tensor(name: str, given: object) -> None:
    """Refuse what is no tensor: a list, or an argument that belongs elsewhere."""
    if not isinstance(given, Tensor):
        raise TypeError(
            f"{name} must be a tensor, got {type(given).__name__}; torch.as_tensor "
            "makes one of numbers, and grounds and bins are arguments of their own"
        )


def check_index(name: str, index: Tensor) -> None:
    """Refuse class indices that are not integers."""
    check_tensor(name, index)
    if index.dtype not in _INDEX_DTYPES:
        raise TypeError(
            f"{name} must hold integer class indices, got dtype {index.dtype}; "
            "convert them with `.long()`"
        )


def check_floating(name: str, values: Tensor) -> None:
    """Refuse real numbers that are not floating."""
    check_tensor(name, values)
    if not values.is_floating_point():
        raise TypeError(
            f"{name} must hold real numbers, got dtype {values.dtype}; "
            "convert them with `.float()`"
        )


def check_logits(logits: Tensor, n_classes: int | None = None) -> None:
    """Refuse logits without a class axis, or of another number of classes."""
    check_tensor("logits", logits)
    if not logits.is_floating_point():
        raise TypeError(
            f"logits must be floating, got dtype {logits.dtype}; "
            "pass the network's raw output, before any softmax"
        )
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(
            "logits must have the classes on their last axis, "
            f"got shape {tuple(logits.shape)}"
        )
    if n_classes is not None and logits.shape[-1] != n_classes:
        raise ValueError(
            f"logits must have {n_classes} classes on their last axis, as the ground "
            f"has, got shape {tuple(logits.shape)}"
        )


def check_value(logits: Tensor, value: Tensor, n_bins: int) -> None:
    """Refuse real-valued targets that are not one number for each row of logits."""
    check_logits(logits, n_bins)
    check_tensor("value", value)
    if not value.is_floating_point():
        raise TypeError(
            f"value must hold real numbers, got dtype {value.dtype}; "
            "convert it with `.float()`"
        )
    if value.shape != logits.shape[:-1]:
        raise ValueError(
            "value must hold one number for each row of logits, shape "
            f"{tuple(logits.shape[:-1])}, got shape {tuple(value.shape)}"
        )


def normalized(
    name: str, rows: ArrayLike, n_classes: int | None, axis: str, source: str
) -> np.ndarray:
    """Rows of probabilities in float64, divided by their sum if it is nearly 1.

    Sums of half-precision rows are off by up to 1e-3; more is no rounding.
    """
    found = np.array(on_host(rows), dtype=np.float64)
    if found.ndim == 0 or (n_classes is not None and found.shape[-1] != n_classes):
        raise ValueError(
            f"{name} must have {n_classes or 'the'} {axis}, got shape {found.shape}"
        )
    if not (found >= 0).all():
        at = tuple(int(i) for i in np.argwhere(~(found >= 0))[0])
        raise ValueError(
            f"{name} must be nonnegative numbers, but {name}{list(at)} = "
            f"{found[at]:g}; {source}"
        )
    sums = found.sum(-1, keepdims=True)
    off = np.abs(sums - 1)
    if not (off <= 1e-3).all():
        raise ValueError(
            f"each row of {name} must sum to 1 within 0.001, but one sums to "
            f"{sums.flat[off.argmax()]:g}; divide by the sum if that is meant"
        )
    found /= sums
    return found
