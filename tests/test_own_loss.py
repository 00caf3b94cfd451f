"""Losses of one's own are tried out, and docs/own-loss.md says what came out."""

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offby import Circle, Line, losses, nn, settles_at
from offby.comparison import compare
from offby.comparison.networks import Settings
from offby.comparison.own_losses import OwnRows
from offby.theory.examination import examine

PAGE = (Path(__file__).parents[1] / "docs/own-loss.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)


def test_the_page_runs_and_shows_what_comes_out(capsys):
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "own-loss.md", "exec"), names)
    said = capsys.readouterr().out
    shown = re.search(r"^```text\n(.*?)^```$", PAGE, flags=re.M | re.S)
    assert shown is not None
    assert " ".join(shown[1].split()) == " ".join(said.split())


@pytest.mark.parametrize(
    ("loss", "proper", "feels", "pushes"),
    [
        (losses.cross_entropy, True, False, True),
        (losses.squared_emd, True, True, False),
        (losses.wasserstein, False, True, False),
        (losses.cumulative_cross_entropy, True, True, True),
        (losses.cdw_cross_entropy, False, True, True),
        (functools.partial(losses.slace, temperature=3.0), False, True, True),
        (losses.brier, True, False, False),
        (torch.nn.CrossEntropyLoss(reduction="none"), True, False, True),
        (nn.SquaredEMDLoss(reduction="none"), True, True, False),
    ],
)
def test_finds_what_is_known_of_the_losses(loss, proper, feels, pushes):
    found = examine(loss, 3)
    assert found.seems_proper == proper
    assert found.feels_distance == feels
    assert (found.push_when_wrong > 0.1) == pushes
    assert found.name in str(found)


def test_distances_are_those_of_the_ground():
    on = Circle.regular(5)
    assert examine(losses.wasserstein, 5, on).feels_distance

    def on_a_line(z, y, ground):
        return losses.wasserstein(z, y)

    assert not examine(on_a_line, 5, on).feels_distance


def test_refuses_a_mean_and_two_classes():
    with pytest.raises(ValueError, match='reduction="none"'):
        examine(torch.nn.CrossEntropyLoss())
    with pytest.raises(ValueError, match='reduction="none"'):
        settles_at(torch.nn.CrossEntropyLoss(), [0.5, 0.5])
    with pytest.raises(ValueError, match="at least 3"):
        examine(losses.squared_emd, 2)


def focal(logits, target):
    log_p = logits.log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)
    return -((1 - log_p.exp()) ** 2) * log_p


def sharper(logits, target):
    return focal(logits, target) ** 2


def test_a_kept_fit_knows_what_a_loss_holds():
    def raised(power, more=1):
        def loss(logits, target, more=more):
            return focal(logits, target) ** power * more

        return OwnRows(loss).text()

    assert raised(2) == raised(2)
    assert len({raised(2), raised(3), raised(2, more=4)}) == 3
    criteria = (
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(weight=[1.0, 2.0, 3.0]),
        nn.SquaredEMDLoss(Line([0, 1, 3])),
        nn.SquaredEMDLoss(Line([0, 2, 3])),
    )
    assert OwnRows(criteria[0]).text() == OwnRows(nn.CrossEntropyLoss()).text()
    assert len({OwnRows(each).text() for each in criteria}) == len(criteria)


def test_compare_takes_functions_and_criteria_and_knows_their_fits(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 3
    rules: Any = {"folds": 2, "seeds": 1, "references": False, "network": "perceptron"}
    rules |= {"settings": Settings(max_iter=2, hidden_layer_sizes=(8,))}
    losses = ["ce", focal, nn.SquaredEMDLoss()]
    found = compare(X, y, losses=losses, run_dir=tmp_path, **rules)
    assert set(found.losses) == {"ce", "focal", "SquaredEMDLoss"}
    said = [note.split(":")[0] for note in found.data.notes]
    assert said == ["focal", "SquaredEMDLoss"]
    assert "seems to be proper" in found.data.notes[1]
    mixed = compare(X, y, losses=["ce", "emd2"], **rules)
    assert found.mean("SquaredEMDLoss", "rps") == mixed.mean("emd2", "rps")
    other = functools.wraps(focal)(sharper)
    del other.__wrapped__
    again = compare(X, y, losses=["ce", other], run_dir=tmp_path, **rules)
    assert set(again.losses) == {"ce", "focal"}
    assert again.mean("focal", "rps") != found.mean("focal", "rps")


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda z, y: z.sum(-1), "needs a name of its own, got '<lambda>'"),
        (torch.nn.CrossEntropyLoss(), "criterion of offby.nn, or a function"),
        (3, "got int"),
    ],
    ids=["lambda", "torch", "number"],
)
def test_compare_refuses_what_is_no_loss(loss, says):
    with pytest.raises((TypeError, ValueError), match=says):
        compare(np.zeros((20, 1)), np.arange(20) % 2, losses=["ce", loss])
