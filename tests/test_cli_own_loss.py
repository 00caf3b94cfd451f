"""`offby compare --losses module:function`."""

import json
import sys

import pytest
from click.testing import CliRunner

from offby.cli import main

pytest.importorskip("polars")
pytest.importorskip("rich")

MINE = """
import torch

GAMMA = 2


def focal(logits, target):
    log_p = logits.log_softmax(-1).gather(-1, target[:, None]).squeeze(-1)
    return -((1 - log_p.exp()) ** GAMMA) * log_p


class Focal(torch.nn.Module):
    pass
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    rows = [f"{i % 7},{(5 * i) % 11},{i % 3}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,grade", *rows]) + "\n")
    (tmp_path / "my_losses_here.py").write_text(MINE)
    (tmp_path / "broken_losses_here.py").write_text("import no_such_thing_at_all")
    (tmp_path / "odd_losses_here.py").write_text("1 / 0")
    yield
    for name in ("my_losses_here", "broken_losses_here", "odd_losses_here"):
        sys.modules.pop(name, None)


def call(*words):
    words = ("compare", "t.csv", "-t", "grade", *words)
    return CliRunner().invoke(main, words, catch_exceptions=False)


def test_a_function_of_a_module_stands_beside_the_others():
    done = call(
        *("--losses", "ce,my_losses_here:focal", "--folds", "2", "--seeds", "1"),
        *("--no-noise", "--network", "perceptron", "--models", "network"),
        *("-j", "1", "-q", "--json", "-"),
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    keys = [each["key"] for each in found["methods"] if not each["reference"]]
    assert set(keys) == {"ce", "focal"}
    assert any(note.startswith("focal: ") for note in found["data"]["notes"])


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ("nowhere_at_all:focal", "run the command in the folder of nowhere_at_all.py"),
        ("my_losses_here:focus", "must hold the loss 'focus', got none; it has focal"),
        ("my_losses_here:Focal", "got a class; name an object of it"),
        ("my_losses_here:GAMMA", "got int; name a function"),
        ("broken_losses_here:x", "ModuleNotFoundError: No module named 'no_such_thing"),
        ("odd_losses_here:x", "fails with ZeroDivisionError"),
        ("ce+my_losses_here:focal", "must be written as module:function"),
        ("my_losses_here:focal,cee", "did you mean"),
        ("my_losses_here:", "must be written as module:function"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_a_sentence(losses, says):
    done = call("--losses", losses)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())


@pytest.mark.parametrize("flag", [("--save", "m.offby"), ("--test", "t.csv")])
def test_a_model_file_holds_no_loss_of_ones_own(flag):
    done = call("--losses", "my_losses_here:focal", *flag)
    assert done.exit_code == 2
    assert "cannot hold a loss of your own" in " ".join(done.stderr.split())
