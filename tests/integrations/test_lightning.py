"""A module of Lightning trains, logs the scores, and forecasts."""

import functools

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")
pytest.importorskip("torchmetrics")

from lightning import Trainer

from offby import Bins, metrics, nn
from offby.integrations.lightning import ForecastModule
from offby.integrations.torchmetrics import HistogramCRPS, RankedProbabilityScore

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Lightning
K = 4


def rows() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(48, 3, generator=generator)
    y = torch.bucketize(x[:, 0].contiguous(), torch.tensor([-0.7, 0.0, 0.7]))
    return TensorDataset(x, y.where(x[:, 1] < 1, -100))


def fitted(criterion, data, folder, **settings) -> tuple[ForecastModule, Trainer]:
    torch.manual_seed(0)
    module = ForecastModule(
        torch.nn.Linear(3, K),
        criterion,
        optimizer=functools.partial(torch.optim.SGD, lr=0.5),
        **settings,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(module, DataLoader(data, 16), DataLoader(data, 20))
    return module, trainer


def test_it_trains_as_a_loop_by_hand_and_logs_the_scores(tmp_path):
    data = rows()
    scores = {"rps": RankedProbabilityScore(K, ignore_index=-100)}
    criterion = nn.SquaredEMDLoss(weight=[1.0, 2.0, 2.0, 1.0])
    module, trainer = fitted(criterion, data, tmp_path, metrics=scores)
    torch.manual_seed(0)
    network = torch.nn.Linear(3, K)
    step = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(3):
        for x, y in DataLoader(data, 16):
            step.zero_grad()
            criterion(network(x), y).backward()
            step.step()
    torch.testing.assert_close(module.network.state_dict(), network.state_dict())
    x, y = data.tensors
    probabilities = module.predict_step((x,), 0)
    kept = y != -100
    wanted = metrics.ranked_probability_score(y[kept], probabilities[kept])
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert logged["val_rps"] == pytest.approx(wanted, rel=1e-6)
    assert {"train_loss", "val_loss"} <= set(logged)


def test_a_criterion_that_sums_is_divided_by_the_rows(tmp_path):
    """Of all processes; here there is one."""
    weight = [1.0, 2.0, 2.0, 1.0]
    mean, _ = fitted(nn.CrossEntropyLoss(weight=weight), rows(), tmp_path)
    summed = nn.CrossEntropyLoss(weight=weight, reduction="sum")
    other, _ = fitted(summed, rows(), tmp_path)
    torch.testing.assert_close(mean.state_dict(), other.state_dict())


def test_numbers_in_bins_and_sample_weights(tmp_path):
    bins = Bins.uniform(-2, 2, K)
    x, _ = rows().tensors
    data = TensorDataset(x, x[:, 0].clamp(-1.9, 1.9), (x[:, 1] < 1).float())
    terms = [(1.0, nn.CrossEntropyLoss()), (1.0, nn.HistogramCRPSLoss(bins))]
    module, trainer = fitted(
        nn.MixedLoss(terms), data, tmp_path, metrics={"crps": HistogramCRPS(bins)}
    )
    p = module.predict_step(data.tensors, 0)
    y, w = data.tensors[1:]
    wanted = metrics.histogram_crps(y, p, bins, sample_weight=w)
    assert float(trainer.callback_metrics["val_crps"]) == pytest.approx(wanted, 1e-5)
