"""The published claims run in their small form."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent


def test_squared_emd_on_classes(capsys):
    path = str(EXAMPLES / "squared_emd_on_classes.py")
    found = runpy.run_path(path)["main"](seeds=1, epochs=1, rows=90)
    assert len(found) == 9  # three sets, three losses
    for (run,) in found.values():
        assert 0 <= run["exact, %"] <= run["within one, %"] <= 100
        assert 0 < run["RPS"] < 10
    assert "turned digits" in capsys.readouterr().out


def test_noisy_targets(capsys):
    main = runpy.run_path(str(EXAMPLES / "noisy_targets.py"))["main"]
    found = main(seeds=1, epochs=1, rows=200)
    assert len({run["none"] for (run,) in found.values()}) == 5
    assert all(each < 30 for (run,) in found.values() for each in run.values())
    assert "HL-Gauss" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of Gymnasium
def test_values_of_cartpole(capsys):
    pytest.importorskip("gymnasium")
    main = runpy.run_path(str(EXAMPLES / "cartpole_values.py"))["main"]
    found = main(seeds=1, updates=5, rows=300, states=4)
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "two-hot" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # of a perceptron that is not done
def test_a_second_softmax_makes_scores_worse(capsys):
    """The collection's tables are read from a folder; the wines come with offby."""
    main = runpy.run_path(str(EXAMPLES / "toc_uco.py"))["main"]
    found = main(splits=1, max_iter=2, n_members=1)
    assert {key.split(", ")[0] for key in found} == {"wine"}
    for (run,) in found.values():
        assert run["RPS"] < run["RPS, softmax twice"]
    assert "published perceptron" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of mlxtend
def test_coral_corn_and_losses_of_offby(capsys, tmp_path):
    pytest.importorskip("coral_pytorch")
    pytest.importorskip("mlxtend")
    rows = np.random.default_rng(0).uniform(0, 70, (60, 9))
    mixes, texts = tmp_path / "cement.csv", tmp_path / "reviews.txt"
    np.savetxt(mixes, rows, delimiter=",", header="columns", comments="")
    texts.write_text(
        "".join(f"{k}\t{k % 7 - 3}.0\tword{k % 7} and\n" for k in range(60))
    )
    main = runpy.run_path(str(EXAMPLES / "coral_corn.py"))["main"]
    found = main(mixes, texts, seeds=1, epochs=2, digits=120)
    assert len(found) == 3 * 6
    for (run,) in found.values():
        assert 0 <= run["MAE"] <= run["RMSE"] < 9
        assert 0 <= run["exact, %"] <= 100
    assert "CORN" in capsys.readouterr().out
