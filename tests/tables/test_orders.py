"""Orders that a refusal proposes for classes of text."""

import numpy as np
import pytest

from offby.tables._orders import proposed

KNOWN = [
    ["Bad", "Medium", "Good"],
    ["unlikely", "somewhat likely", "very likely"],
    ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    ["Po", "Fa", "TA", "Gd", "Ex"],
    ["none", "mild", "moderate", "severe"],
    ["I", "II", "III", "IV"],
    ["1. < HS Grad", "2. HS Grad", "3. Some College", "10. Advanced Degree"],
    ["under 18", "18-30", "31-65", "66+"],
]


@pytest.mark.parametrize("order", KNOWN, ids=lambda order: order[0])
def test_an_order_that_people_use_is_proposed_however_the_classes_come(order):
    for seed in range(5):
        mixed = list(np.random.default_rng(seed).permutation(order))
        assert proposed(mixed) == (order, True)


def test_classes_without_a_usual_order_are_not_put_into_one():
    assert proposed(["red", "blue", "medium"]) == (["blue", "medium", "red"], False)
