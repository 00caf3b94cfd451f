"""A `LightningModule` for ordered classes and bins: docs/training-loops.md."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torchmetrics import Metric, MetricCollection

from offby.nn import mean_over_processes

__all__ = ["ForecastModule"]


class ForecastModule(LightningModule):
    """A network with one output for each class or bin, its loss and its scores.

    A batch is (input, target) or (input, target, sample_weight). The loss is logged as
    "train_loss" and "val_loss", and the metrics, which see probabilities, as "val_" and
    their name. A criterion with `reduction="sum"` is divided by the weight of the rows
    of all processes (`offby.nn.mean_over_processes`): several devices then train as one
    would on the whole batch, also with class weights, ignored rows and masks. One with
    `reduction="mean"` is averaged over the processes by Lightning, as it is.

    With `accumulate_grad_batches`, Lightning averages the losses of the batches: those
    of the same weight give exactly what one large batch gives.

    Args:
        network: Gives logits, or the log-probabilities of `offby.nn.heads`, with the
            classes on the axis of the criterion.
        criterion: A criterion of `offby.nn`.
        metrics: Metrics of `offby.integrations.torchmetrics`, by name. They take the
            classes on axis 1.
        optimizer: Makes the optimizer of the parameters, such as
            `functools.partial(torch.optim.AdamW, lr=1e-3)`.

    >>> import torch
    >>> from offby.integrations.torchmetrics import RankedProbabilityScore
    >>> from offby.nn import SquaredEMDLoss
    >>> scores = {"rps": RankedProbabilityScore(num_classes=5)}
    >>> module = ForecastModule(nn.Linear(3, 5), SquaredEMDLoss(), metrics=scores)
    >>> module.predict_step((torch.zeros(2, 3),), 0).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: nn.Module,
        *,
        metrics: Mapping[str, Metric] | None = None,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = AdamW,
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.metrics = MetricCollection(dict(metrics or {}), prefix="val_")
        self._optimizer = optimizer

    def forward(self, *inputs: Any) -> Tensor:
        """Logits of a batch."""
        return self.network(*inputs)

    def loss(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch: the mean over all processes if the criterion sums."""
        if self._reduction() == "sum":
            return mean_over_processes(self.criterion, logits, target, sample_weight)
        return self.criterion(logits, target, sample_weight)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of a batch."""
        del batch_idx
        input, *truth = batch
        loss = self.loss(self(input), *truth)
        self.log("train_loss", loss, batch_size=len(input))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Takes a batch into the scores."""
        del batch_idx
        input, *truth = batch
        logits = self(input)
        loss = self.loss(logits, *truth)
        self.log("val_loss", loss, batch_size=len(input), sync_dist=True)
        self.metrics.update(self._probabilities(logits), *truth)
        self.log_dict(dict(self.metrics.items()), on_step=False, on_epoch=True)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Probabilities of each row."""
        del batch_idx
        input = batch[0] if isinstance(batch, tuple | list) else batch
        return self._probabilities(self(input))

    def configure_optimizers(self) -> Optimizer:
        """The optimizer that was asked for."""
        return self._optimizer(self.parameters())

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.detach().float().softmax(self._first().dim)

    def _reduction(self) -> str:
        return self._first().reduction

    def _first(self) -> Any:
        """The criterion, or the first term of a mix: all have the same settings."""
        terms = getattr(self.criterion, "criteria", None)
        return self.criterion if terms is None else terms[0]
