"""`GroundBuffers`: a ground or a grid as a part of a module."""

from dataclasses import fields
from typing import Any, Generic, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

Setting = TypeVar("Setting")
"""A ground or a grid: a frozen dataclass, some of whose fields are tensors."""


class GroundBuffers(nn.Module, Generic[Setting]):
    """A ground or a grid whose tensors follow the module from device to device.

    It is a setting, as `reduction` is: the buffers are not saved, so that a checkpoint
    loads into a model with another loss. The numbers are also kept on the host, where
    no change of dtype and no `to_empty` can reach them: a module that was on the meta
    device gets them back when it is moved to a real one.
    """

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._kind = type(setting)
        self._plain: dict[str, Any] = {}
        self._on_host: dict[str, Tensor] = {}
        self._placed: dict[str, Tensor] = {}
        device = torch.get_default_device()
        if device.type == "meta":
            # Models are built there to be filled later; nothing would fill a setting.
            device = torch.device("cpu")
        described: Any = setting
        for field in fields(described):
            part = getattr(setting, field.name)
            if isinstance(part, Tensor):
                self._on_host[field.name] = part.detach().cpu().clone()
                there = self._on_host[field.name].to(device)
                self.register_buffer(field.name, there, persistent=False)
                self._placed[field.name] = there
            else:
                self._plain[field.name] = part

    def _apply(self, fn, recurse=True):
        # Only the device is followed. A change of dtype is for weights: edges in
        # bfloat16 would run into each other.
        for name, numbers in self._on_host.items():
            before = self._buffers[name]
            assert before is not None
            device = fn(torch.empty(0, device=before.device)).device
            self._place(name, numbers.to(device))
        return self

    def _place(self, name: str, numbers: Tensor) -> None:
        self._buffers[name] = self._placed[name] = numbers

    def _restore(self) -> None:
        """Put back buffers that somebody has replaced, on the device they are on.

        Transformers' `from_pretrained` gives a model new memory for every buffer that
        no checkpoint holds, and leaves it unset.
        """
        if torch.compiler.is_compiling():
            return
        for name, placed in self._placed.items():
            found = self._buffers[name]
            # Tracing replaces them too, by tensors of its own types, and `torch.vmap`
            # over stacked modules by a batch of them; these are right.
            if found is not placed and _is_plain(found):
                self._place(name, self._on_host[name].to(found.device))

    def forward(self) -> Setting:
        """The ground or grid on the module's device.

        Its checks are not repeated: they would wait for the device.
        """
        self._restore()
        return self._made_of(self._buffers)

    def on_host(self) -> Setting:
        """The ground or grid on the CPU, wherever the module is."""
        return self._made_of(self._on_host)

    def _made_of(self, tensors: Any) -> Setting:
        setting = object.__new__(self._kind)
        for name, part in {**self._plain, **tensors}.items():
            object.__setattr__(setting, name, part)
        return setting

    def extra_repr(self) -> str:
        return repr(self.on_host())


def _is_plain(found: Tensor | None) -> TypeGuard[Tensor]:
    return type(found) is Tensor and not is_functorch_wrapped_tensor(found)
