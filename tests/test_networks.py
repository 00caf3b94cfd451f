"""Batches of networks: sums in either order, their size, and runs that come and go."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from offby.tabular.layers import BatchEnsembleLinear, ColumnEnsembleLinear, dropout
from offby.tabular.networks import MLP, Ensemble, NetworkBatch, wrap_module
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
    assert isinstance(layer, ColumnEnsembleLinear)
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
    torch.testing.assert_close(layer(inputs), expected)
    used = sorted(n for places in column_inputs for n in places if n < len(column_of))
    assert used == [*range(len(column_of))]


@pytest.mark.parametrize("n_columns", [4, 2000])
def test_no_result_is_much_larger_than_the_inputs_of_all_members(n_columns):
    network = ensemble(torch.arange(n_columns))
    inputs = torch.zeros(2, 64, n_columns).double()
    with _Largest() as largest, torch.no_grad():
        network(inputs)
    assert largest.numbers <= 4 * 3 * max(inputs.numel(), 2 * 64 * 16)


def test_the_members_of_a_layer_are_those_of_the_paper():
    """Equation 5 of BatchEnsemble: relu((h * r) W * s), here before relu and with b."""
    generator = torch.Generator().manual_seed(2)
    layer = BatchEnsembleLinear(3, 4, 5, [generator]).double()
    with torch.no_grad():
        for part in (layer.r, layer.s):
            part.copy_(torch.randn(part.shape, generator=generator))
    hidden = torch.randn(1, 3, 6, 4, generator=generator).double()
    for m in range(3):
        expected = (hidden[0, m] * layer.r[0, m]) @ layer.weight[0] * layer.s[0, m]
        expected = expected + layer.bias[0, m]
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


def test_a_perceptron_is_known_by_its_weights():
    network = MLP([3, 16, 4], [torch.Generator().manual_seed(0)])
    inputs = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(3))
    again = MLP.of(MLP.weights_of(network.run_tensors()))
    assert torch.equal(again(inputs), network(inputs))


def test_random_signs_tell_the_members_of_a_run_apart():
    for run in ensemble(torch.arange(12)).get_parameter("layers.0.r"):
        assert set(run.unique().tolist()) == {-1.0, 1.0}
        assert len(run.unique(dim=0)) == 3


def test_about_the_share_asked_for_is_dropped_and_the_mean_stays():
    hidden = torch.ones(2, 3, 50, 40)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    kept = dropout(hidden, 0.25, generators)
    torch.testing.assert_close(kept.unique(), torch.tensor([0.0, 4 / 3]))
    # 12,000 draws: 0.25 within four standard errors.
    assert abs(float((kept == 0).double().mean()) - 0.25) < 0.016
    assert torch.equal(dropout(hidden, 0.25, None), hidden)


@pytest.mark.parametrize(
    "wrong", [{"n_members": 0}, {"hidden_layer_sizes": (0,)}, {"dropout": 1.0}]
)
def test_refuses_sizes_that_make_no_network(wrong):
    sizes = {"n_members": 2, "hidden_layer_sizes": (8,), "dropout": 0.0, **wrong}
    with pytest.raises(ValueError, match="must be at least 1"):
        Ensemble(
            torch.arange(3), torch.zeros(1, 2), generators=[torch.Generator()], **sizes
        )
