"""Classes on a line, around a circle, in a tree, or at any distance.

A ground says how far apart the classes are. Every loss that knows distance takes one.
"""

# %% Four grounds
import torch
from matplotlib import pyplot

from offby import Circle, Costs, Line, Tree, losses

ages = Line([5, 15, 30, 50, 75])
days = Circle.regular(7)
animals = Tree.from_paths(["bird/hen", "bird/owl", "fish/cod", "pet/cat", "pet/dog"])
travel = Costs([[0, 2, 9], [2, 0, 4], [9, 4, 0]])
for ground in (ages, days, animals, travel):
    print(ground)

# %% The same mistake costs what it costs there
# All on the last class, where the first is right.
for name, ground in {"ages": ages, "days": days, "animals": animals}.items():
    logits = torch.full((ground.n_classes,), -20.0)
    logits[-1] = 20
    cost = losses.wasserstein(logits, torch.tensor(0), ground)
    print(f"{name:8s} {cost:.1f} of at most {ground.cost.max():.1f}")

# %% As a picture
figure, rows = pyplot.subplots(1, 4, figsize=(9, 2.4))
names = ("Line", "Circle", "Tree", "Costs")
for axes, name, ground in zip(rows, names, (ages, days, animals, travel), strict=True):
    axes.imshow(ground.cost.numpy(), cmap="Blues")
    axes.set(title=name, xticks=[], yticks=[])
