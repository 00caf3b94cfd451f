"""The lines of the report for one's own loop, run: the loss of the training."""

import json
from pathlib import Path

import pytest
import torch

from offby import Costs, Tree
from offby.results import Grid, Measure
from offby.results.own_loop import lines_of

COMPARED = json.loads((Path(__file__).parents[1] / "web" / "compared.json").read_text())


def found_by(data, loss):
    """The lines for data as the explainer's file has them."""
    measure = Measure(data["measure"]["unit"], tuple(data["measure"]["edges"]))
    grid = Grid(
        tuple(data["labels"]), tuple(data["positions"]), tuple(data["edges"]), "none"
    )
    grid = Grid(grid.labels, grid.positions, grid.edges, data["tails"], measure)
    scale = data["measure"]["scale"] or "none"
    return lines_of(loss, grid, measure, ground_of(data), scale)


def ground_of(data):
    """What the comparison saved of its ground, from what the page draws of it."""
    if data["circle"]:
        return {"kind": "Circle", "positions": data["positions"], **data["circle"]}
    if not data["apart"]:
        return None
    cuts = data["apart"]["cuts"]
    if not cuts:
        return Costs(torch.tensor(data["apart"]["cost"], dtype=torch.float64)).to_dict()
    root, parents = len(cuts), []
    for node, (_, first, end) in enumerate(cuts):
        # The nearest node before it that holds its classes, too.
        above = [
            other for other in range(node) if cuts[other][1] <= first < cuts[other][2]
        ]
        assert all(cuts[other][2] >= end for other in above)
        parents.append(max(above, default=root))
    return Tree([*parents, -1], [*(length for length, *_ in cuts), 0.0]).to_dict()


def value_of(code, logits, target):
    names = {"logits": logits, "target": target}
    exec(code, names)
    return float(names["loss"])


@pytest.mark.parametrize("name", COMPARED)
def test_lines_give_the_loss_of_the_training(name):
    """The wanted values are those that `compare` trains with; see web/compared.py."""
    data, rows = COMPARED[name]["data"], COMPARED[name]["rows"]
    for row, models in zip(data["rows"], rows, strict=True):
        for model, losses in models.items():
            logits = torch.tensor([row["probs"][model]], dtype=torch.float64).log()
            for loss, wanted in losses.items():
                found = found_by(data, loss)
                assert found is not None
                assert found.takes_numbers == bool(data["edges"])
                target = (
                    torch.tensor([row["onScale"]], dtype=torch.float64)
                    if found.takes_numbers
                    else torch.tensor([row["true"]])
                )
                value = value_of(found.code, logits, target)
                assert value == pytest.approx(wanted["value"], rel=1e-4), loss


@pytest.mark.parametrize("made", [Costs.equal(3), Tree([3, 3, 4, 4, -1])])
def test_lines_know_every_ground(made):
    grid = Grid(("a", "b", "c"), (0.0, 1.0, 2.0), ())
    found = lines_of("emd2", grid, Measure(2.0), made.to_dict(), "none")
    assert found is not None
    logits = torch.zeros(1, 3, dtype=torch.float64)
    target = torch.tensor([2])
    cost = 2 * made.cost
    wanted = float(cost[2].mean() - cost.mean() / 2)
    assert value_of(found.code, logits, target) == pytest.approx(wanted)


@pytest.mark.parametrize("loss", ["mine", "hl-gauss", "ce+two-hot", "boosting"])
def test_a_loss_that_is_no_criterion_has_no_lines(loss):
    grid = Grid(("a", "b"), (0.0, 1.0), ())
    assert lines_of(loss, grid, Measure(1.0), None, "none") is None
