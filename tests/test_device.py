"""Where networks are trained and asked: what can be said of it without a GPU."""

from typing import Any

import numpy as np
import pytest
import torch

from offby.losses.registry import TABLE, parse
from offby.tabular import BinnedRegressor, OrdinalClassifier
from offby.tabular.runs import Run, TrainerSettings
from offby.tabular.trainer import train_epochs

QUICK: dict[str, Any] = {
    "max_iter": 3,
    "n_members": 2,
    "n_bags": 2,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}
X = np.random.default_rng(0).normal(size=(64, 3))
Y = X[:, 0] + X[:, 1]


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_one_sentence(device):
    with pytest.raises(RuntimeError, match='use "auto" or "cpu"') as caught:
        BinnedRegressor(device=device, **QUICK).fit(X, Y)
    assert "\n" not in str(caught.value)
    model = BinnedRegressor(**QUICK).fit(X, Y).set_params(device=device)
    with pytest.raises(RuntimeError, match="device must be one that is here"):
        model.predict(X)


@pytest.mark.parametrize("loss", [entry.name for entry in TABLE] + ["ce+emd2"])
def test_an_epoch_of_training_stays_on_the_device_of_its_rows(loss):
    # The meta device refuses to meet tensors of another, as a GPU does.
    model: Any = BinnedRegressor(loss=loss, n_bins=8, **QUICK).fit(X, Y)
    data = model._training_data(X, Y, None, reset=False, fresh=False)
    network, there = model.network_.to("meta"), torch.device("meta")
    rows = torch.arange(len(X))
    runs = [Run(data.to(there), rows, rows, 0)] * 2
    train_epochs(network, runs, [1, 1], parse(loss), TrainerSettings())
    devices = {part.device for part in network.run_tensors().values()}
    assert devices == {there}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
def test_a_gpu_learns_what_a_cpu_does(estimator):
    y = np.digitize(Y, [-1, 0, 1])
    long = {**QUICK, "max_iter": 60, "learning_rate_init": 0.01}
    fits = {}
    for device in ("cpu", "cuda"):
        fits[device] = estimator(device=device, **long).fit(X, y)
        assert {p.device.type for p in fits[device].network_.parameters()} == {"cpu"}
    assert abs(fits["cpu"].score(X, y) - fits["cuda"].score(X, y)) < 0.1
    # The same network, asked here and there.
    model = fits["cuda"]
    there = model.predict(X)
    np.testing.assert_allclose(model.set_params(device="cpu").predict(X), there)
