"""The explainer page of one's own logits; tests/test_explain_page.py opens one."""

import json
import re

import numpy as np
import pytest
import torch

from offby import Bins, Circle, Costs, Line, explain
from offby.integrations.explainer import page

LOGITS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def data(html: str) -> dict:
    found = re.search(r'id="data">(.*?)</script>', html)
    assert found
    return json.loads(found[1])


def test_the_page_holds_the_forecasts():
    given = LOGITS.half().requires_grad_()
    shown = data(page({"ce": given, "emd2": 2 * LOGITS}, [0, 1, 2, 2], Line([0, 1, 5])))
    assert shown["positions"] == [0, 1, 5]
    assert shown["labels"] == ["0", "1", "2"]
    assert [row["true"] for row in shown["rows"]] == [0, 1, 2, 2]
    assert [row["value"] for row in shown["rows"]] == [0, 1, 5, 5]
    probs = [row["probs"]["emd2"] for row in shown["rows"]]
    np.testing.assert_allclose(probs, (2 * LOGITS).softmax(-1), rtol=1e-6)
    assert [row["why"] for row in shown["rows"]].count("most disputed") == 1


def test_it_opens_where_losses_differ_most():
    other = LOGITS.clone()
    other[2] += torch.tensor([5.0, 0, 0])
    shown = data(page({"ce": LOGITS, "emd2": other}, [0] * 4))
    assert [row["why"] == "most disputed" for row in shown["rows"]] == [0, 0, 1, 0]


def test_numbers_in_bins_and_classes_around_a_circle():
    bins = Bins([0, 1, 3, 10], tails="half-normal")
    shown = data(page(LOGITS, [0.5, 1, 99, -4], bins, name="rain"))
    assert (shown["kind"], shown["name"]) == ("number", "rain")
    assert shown["labels"] == ["0 to 1", "1 to 3", "3 to 10"]
    assert [row["true"] for row in shown["rows"]] == [0, 1, 2, 0]
    assert [row["value"] for row in shown["rows"]] == [0.5, 1, 99, -4]
    shown = data(page(LOGITS[0], [2], Circle([0, 8, 16], 24), labels="abc"))
    assert shown["circle"] == {"period": 24, "distance": "arc"}
    assert shown["labels"] == ["a", "b", "c"]


def test_only_so_many_rows_are_shown():
    shown = data(page(torch.zeros(200, 3), [0] * 200))
    assert len(shown["rows"]) == 50


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (([[0.0, np.nan]], [0]), ValueError, "without NaN, got .* in row 0 of ce"),
        ((LOGITS, [0, 1]), ValueError, "one for each of 4 rows"),
        ((LOGITS, [0, 1, 2, 3]), ValueError, "classes from 0 to 2, got 3"),
        ((LOGITS, [0, 1, 2, 1.5]), ValueError, "got 1.5; numbers want Bins"),
        ((LOGITS, [0] * 4, Line.regular(5)), ValueError, "3 columns for 5 classes"),
        ((LOGITS, [0] * 4, Costs.equal(3)), TypeError, "a Line or a Circle"),
        ((LOGITS, [0] * 4, Bins.periodic(0, 24, 3)), TypeError, "bins.circle()"),
        ((LOGITS[None], [0]), ValueError, "rows x classes, got shape"),
        (({}, [0]), ValueError, "got none"),
        (({"ce": LOGITS, "b": LOGITS[:2]}, [0] * 4), ValueError, r"\(2, 3\) of b"),
        ((torch.zeros(1, 301), [0]), ValueError, "2 to 300 classes, got 301"),
    ],
)
def test_what_it_cannot_show(given, error, says):
    with pytest.raises(error, match=says):
        page(*given)


def test_the_widget_sends_the_page():
    pytest.importorskip("anywidget")
    from offby.integrations.widget import Explainer

    shown = Explainer(LOGITS, [0, 1, 2, 2], labels="abc", height=700)
    assert data(shown.page)["labels"] == ["a", "b", "c"]
    assert shown.get_state(["height"]) == {"height": 700}
    shown.update({"emd2": LOGITS[:1]}, [2])
    assert [row["true"] for row in data(shown.page)["rows"]] == [2]
    assert data(shown.page)["labels"] == ["a", "b", "c"]
    assert "function render" in str(shown._esm)
    assert len(shown.page) > len(explain.render())
