"""docs/pytorch.md keeps its word: its code runs, its recipes are right."""

import re
from pathlib import Path

import torch
from torch.testing import assert_close

from offby import nn

PAGE = (Path(__file__).parents[1] / "docs/pytorch.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)


def names_after_the_page() -> dict:
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "pytorch.md", "exec"), names)
    return names


def test_the_python_of_the_page_runs_from_top_to_bottom():
    assert len(BLOCKS) >= 4
    assert "exact" in names_after_the_page()


def test_the_recipe_for_several_processes_is_exact(monkeypatch):
    """The mean over two ranks of the recipe is the loss of the whole batch."""
    exact = names_after_the_page()["exact"]
    logits, y = torch.randn(10, 5), torch.randint(5, (10,))
    y[[1, 2, 8]] = -100
    weight = (y != -100).float()
    whole = nn.SquaredEMDLoss()(logits, y)
    ranks = [slice(0, 4), slice(4, 10)]
    total = weight.sum()
    monkeypatch.setattr(torch.distributed, "is_available", lambda: True)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda t: t.copy_(total))
    criterion = nn.SquaredEMDLoss(reduction="sum")
    parts = [exact(criterion, logits[r], y[r], weight[r]) for r in ranks]
    assert_close(torch.stack(parts).mean(), whole)
    means = [nn.SquaredEMDLoss()(logits[r], y[r]) for r in ranks]
    assert not torch.isclose(torch.stack(means).mean(), whole)
