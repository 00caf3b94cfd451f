"""Batches of networks: sums in either order, their size, and runs that come and go."""

import math
import threading
from itertools import combinations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from offby.tabular.activation import Dropout, activation
from offby.tabular.forecasts import forecast_in_parts, mean_probabilities
from offby.tabular.layers import ColumnLinear, SharedLinear
from offby.tabular.modules import wrap_module
from offby.tabular.networks import MLP, Ensemble, NetworkBatch
from offby.tabular.optimizers import decaying


def ensemble(column_of: torch.Tensor) -> Ensemble:
    return Ensemble(
        column_of,
        torch.zeros(2, 4),
        n_members=3,
        hidden_layer_sizes=(16, 8),
        dropout=0.0,
        generators=[torch.Generator().manual_seed(seed) for seed in range(2)],
    ).double()


class _Largest(TorchDispatchMode):
    """Remembers how many numbers the largest result has."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


COLUMNS = {
    "a few of many codes": torch.arange(3).repeat(20),
    "many of one code": torch.arange(40),
    "one of more codes than a block": torch.zeros(70, dtype=torch.int64),
}


@pytest.mark.parametrize("column_of", COLUMNS.values(), ids=COLUMNS.keys())
def test_the_first_layer_is_a_sum_over_all_inputs(column_of):
    layer = ensemble(column_of).layers[0]
    assert isinstance(layer, ColumnLinear)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, 5, len(column_of), generator=generator).double()
    column_inputs = layer.get_buffer("column_inputs").tolist()
    expected = layer.bias.detach().expand(2, 3, 5, 16).clone()
    for column, places in enumerate(column_inputs):
        for place, number in enumerate(places):
            if number < len(column_of):
                scaled = (
                    inputs[:, None, :, number, None] * layer.r[:, :, None, column, None]
                )
                expected += scaled * layer.weight[:, column, place][:, None, None]
    torch.testing.assert_close(layer(inputs), expected.relu())
    used = sorted(n for places in column_inputs for n in places if n < len(column_of))
    assert used == [*range(len(column_of))]


@pytest.mark.parametrize("n_columns", [4, 2000])
def test_no_result_is_much_larger_than_the_inputs_of_all_members(n_columns):
    network = ensemble(torch.arange(n_columns))
    inputs = torch.zeros(2, 64, n_columns).double()
    with _Largest() as largest, torch.no_grad():
        network(inputs)
    assert largest.numbers <= 4 * 3 * max(inputs.numel(), 2 * 64 * 16)


def test_members_share_the_matrix_of_a_hidden_layer_and_not_the_bias():
    generator = torch.Generator().manual_seed(2)
    layer = SharedLinear(3, 4, 5, [generator]).double()
    hidden = torch.randn(1, 3, 6, 4, generator=generator).double()
    for m in range(3):
        expected = (hidden[0, m] @ layer.weight[0] + layer.bias[0, m]).relu()
        torch.testing.assert_close(layer(hidden)[0, m], expected)


def batches() -> list[NetworkBatch]:
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    return [
        ensemble(torch.arange(3)).float(),
        MLP([3, 16, 4], generators),
        wrap_module(lambda n, k: torch.nn.Linear(n, k), 3, 4, seed=0),
    ]


@pytest.mark.parametrize("network", batches(), ids=lambda n: type(n).__name__)
def test_only_matrices_decay(network):
    """Offsets, r and s do not: what does is said by each module, not by names."""
    found = {id(parameter) for parameter in decaying(network)}
    for name, parameter in network.named_parameters():
        assert (id(parameter) in found) == name.endswith("weight"), name
    assert found


@pytest.mark.parametrize("network", batches(), ids=lambda n: type(n).__name__)
def test_a_run_by_itself_forecasts_as_in_its_batch(network):
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(3))
    whole = network(inputs.expand(network.n_runs, -1, -1))
    for run in range(network.n_runs):
        tensors = {k: v.detach()[[run]] for k, v in network.run_tensors().items()}
        alone = network.logits_of(tensors, inputs[None])
        torch.testing.assert_close(alone[0], whole[run])


def test_random_signs_tell_the_members_of_a_run_apart():
    for run in ensemble(torch.arange(12)).get_parameter("layers.0.r"):
        assert set(run.unique().tolist()) == {-1.0, 1.0}
        assert len(run.unique(dim=0)) == 3


def generators():
    return [torch.Generator().manual_seed(seed) for seed in range(2)]


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_quick_activation_is_the_plain_one(share):
    """Values and slopes, against relu and a mask in plain PyTorch."""
    draw = torch.Generator().manual_seed(0)
    product = torch.randn(2, 3 * 5, 4, generator=draw).double().requires_grad_()
    bias = torch.randn(2, 3, 1, 4, generator=draw).double().requires_grad_()
    slope = torch.randn(2, 3, 5, 4, generator=draw).double()
    values = product.detach().view(slope.shape)
    limits = Dropout(share, generators()).limits(values)
    mask = torch.stack(limits).isinf()
    plain = (product.view(slope.shape) + bias).relu() * mask
    dropout = Dropout(share, generators()) if share else None
    quick = activation(product * 1, bias, dropout)
    assert torch.equal(quick, plain)
    for part in (product, bias):
        expected, got = (
            torch.autograd.grad((each * slope).sum(), part, retain_graph=True)[0]
            for each in (plain, quick)
        )
        torch.testing.assert_close(got, expected)


def test_about_the_share_asked_for_is_dropped_elsewhere_in_each_run_and_step():
    dropout = Dropout(0.25, generators())
    values = torch.zeros(2, 3, 50, 40)
    dropped = [torch.stack(dropout.limits(values)) == 0 for _ in range(3)]
    # 12,000 draws: 0.25 within four standard errors.
    shares = [float(part.double().mean()) for part in dropped]
    assert shares == pytest.approx([0.25] * 3, abs=0.016)
    masks = [run for part in dropped for run in part]
    for one, other in combinations(masks, 2):
        both = float((one & other).double().mean())
        assert both == pytest.approx(0.25**2, abs=0.016), "the masks are related"


def test_what_dropout_keeps_is_scaled_to_the_mean_of_a_forecast():
    network = ensemble(torch.arange(40)).float()
    network.dropout = 0.5
    with torch.no_grad():
        # Far above zero, relu changes nothing: then the mean is exact.
        for name, part in network.named_parameters():
            if name in ("layers.0.bias", "layers.1.bias"):
                part.fill_(10.0)
    inputs = torch.randn(2, 1, 40, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        still = network(inputs)[:, :, 0]
        trained = network(inputs.expand(2, 4_000, 40), generators())
    error = trained.std(2) / math.sqrt(4_000)
    assert float(((trained.mean(2) - still) / error).abs().max()) < 5


@pytest.mark.parametrize("n_classes", [4, 60])
def test_a_forecast_does_not_depend_on_the_other_rows(n_classes):
    """To the last bit, though float32 products round by shape and place."""
    network = Ensemble(
        torch.arange(12),
        torch.zeros(2, n_classes),
        n_members=3,
        hidden_layer_sizes=(50, 30),
        dropout=0.0,
        generators=generators(),
    ).eval()
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(500, 12, generator=draw)
    whole = mean_probabilities(network, inputs)
    order = torch.randperm(500, generator=draw)
    assert torch.equal(mean_probabilities(network, inputs[order]), whole[order])
    for rows in (slice(0, 1), slice(7, 30), slice(100, 301)):
        assert torch.equal(mean_probabilities(network, inputs[rows]), whole[rows])
    plain = network(inputs.expand(2, -1, -1)).detach().double().softmax(-1)
    torch.testing.assert_close(whole, plain.mean((0, 1)), rtol=1e-5, atol=1e-7)


def test_a_forecast_of_many_rows_needs_no_more_memory_beside_its_result():
    network = ensemble(torch.arange(12)).float().eval()
    sizes = []
    for n_rows in (64, 6400):
        with _Largest() as largest:
            mean_probabilities(network, torch.zeros(n_rows, 12))
        sizes.append(largest.numbers)
    assert sizes[1] <= max(sizes[0], 6400 * 12), "larger than the inputs"


@pytest.mark.parametrize("n_rows", [0, 1, 7, 8, 50])
def test_threads_share_the_rows_of_a_forecast(n_rows):
    numbers = np.random.default_rng(0).normal(size=(n_rows, 3))
    threads = set()

    def forecast(rows):
        threads.add(threading.get_ident())
        return numbers[rows] * 2

    found = forecast_in_parts(forecast, n_rows, 8, n_threads=3)
    np.testing.assert_array_equal(found, numbers * 2)
    assert n_rows < 50 or threads - {threading.get_ident()}


@pytest.mark.parametrize(
    "wrong", [{"n_members": 0}, {"hidden_layer_sizes": (0,)}, {"dropout": 1.0}]
)
def test_refuses_sizes_that_make_no_network(wrong):
    sizes = {"n_members": 2, "hidden_layer_sizes": (8,), "dropout": 0.0, **wrong}
    with pytest.raises(ValueError, match="must be at least 1"):
        Ensemble(
            torch.arange(3), torch.zeros(1, 2), generators=[torch.Generator()], **sizes
        )
