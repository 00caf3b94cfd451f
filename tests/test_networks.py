"""The ensemble: the same sum in either order, and never much larger than its inputs."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from offby.tabular.networks import Ensemble


def ensemble(column_of: torch.Tensor) -> Ensemble:
    return Ensemble(
        column_of,
        torch.zeros(4),
        n_bags=2,
        n_members=3,
        hidden_layer_sizes=(16, 8),
        dropout=0.0,
        generator=torch.Generator().manual_seed(0),
    ).double()


class _Largest(TorchDispatchMode):
    """Notes how many numbers the largest result has."""

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
    network = ensemble(column_of)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, 5, len(column_of), generator=generator).double()
    before, matrix = network.before[0], network.matrices[0]
    places: torch.Tensor = network.get_buffer("places")
    expected = torch.zeros(2, 3, 5, 16).double()
    for block, row in enumerate(places.tolist()):
        for place, column in enumerate(row):
            if column < len(column_of):
                share = (
                    inputs[:, None, :, column, None] * before[:, :, block, None, None]
                )
                expected += share * matrix[:, block, place][:, None, None]
    found = network._first(inputs, before, matrix)
    torch.testing.assert_close(found, expected)
    assert sorted(c for row in places.tolist() for c in row if c < len(column_of)) == [
        *range(len(column_of))
    ]


@pytest.mark.parametrize("n_columns", [4, 2000])
def test_no_result_is_much_larger_than_the_inputs_of_all_members(n_columns):
    network = ensemble(torch.arange(n_columns))
    inputs = torch.zeros(2, 64, n_columns).double()
    with _Largest() as largest, torch.no_grad():
        network(inputs)
    assert largest.numbers <= 4 * 3 * max(inputs.numel(), 2 * 64 * 16)
