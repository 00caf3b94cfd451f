"""A page for each loss, from its record, its docstring and what its code computes."""

import re
from pathlib import Path

import cost
import embedded
import pictures
import stage
import torch
import wins

from offby import nn
from offby.losses.registry import LOSSES, Loss

NUMBERS = {
    "class": "class indices, or probabilities of each class",
    "class on a ground": "class indices or probabilities, and a ground",
    "number": "numbers, and the bins that they fall into",
    "batch": "a whole batch: the loss is one number for it",
}


def write(pages: Path) -> None:
    """Write losses/*.md with their pictures, and the page that lists them."""
    folder = pages / "losses"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for loss in LOSSES:
        (folder / f"{loss.name}.md").write_text(page(loss, pages), encoding="utf-8")
        if loss.takes != "batch":
            picture = pictures.picture_of_pushes(loss)
            (folder / f"{loss.name}.svg").write_text(picture, encoding="utf-8")
        rows.append(
            f"| [`{loss.name}`]({loss.name}.md) | {loss.title} | `{loss.formula}` "
            f"| {'yes' if loss.feels_distance else 'no'} | {loss.proper} |"
        )
    head = (
        "# All losses\n\nEvery loss has a page with the same fields. "
        "[Which loss when](../choosing.md) says which one to take; the last stop of "
        f'the explainer, <a href="../{embedded.STATIC}#stop=7">'
        f"{embedded.stop_titles()[6]}</a>, shows why.\n\n"
        "| name | title | formula | feels distance | proper |\n|---|---|---|---|---|\n"
    )
    (folder / "index.md").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")


def page(loss: Loss, pages: Path) -> str:
    """The page of a loss in Markdown."""
    parts = [
        f"# {loss.title[0].upper()}{loss.title[1:]}",
        _facts(loss),
        "## Formula",
        f"```text\n{loss.formula}\n```",
        "y is the true class or number, p the probabilities, F their sums up to a "
        f"class, x the positions. The [page on its theory](../maths/{loss.page}.md) "
        "derives it, with its gradient, its limits and its literature.",
    ]
    if loss.takes != "batch":
        parts += [_pushes(loss), _scale(loss)]
    parts += [cost.cost(loss), _choosing(loss), wins.where_it_wins(loss.name)]
    if loss.function is not None:
        source = Path(loss.function.__code__.co_filename)
        where = stage.link(source, pages / "losses" / "x.md", pages)
        parts += [
            "## Arguments, source and example",
            f"::: {loss.function.__module__}.{loss.function.__name__}\n"
            "    options:\n      heading_level: 3",
            f"The code is in [{source.name}]({where}).",
        ]
        criterion = criterion_of(loss)
        if criterion is not None:
            parts += [
                "## As a criterion",
                f"::: {criterion.__module__}.{criterion.__name__}\n"
                "    options:\n      heading_level: 3\n      members: []",
            ]
    else:
        parts += [
            "## Arguments",
            f"Estimators and `offby compare` take it by its name, `{loss.name}`. In a "
            "training loop, make the soft targets with `offby.targets."
            f"{loss.name.replace('-', '_')}(values, bins)` and give them to "
            "[cross-entropy](ce.md).",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def criterion_of(loss: Loss) -> type | None:
    """The class of `offby.nn` that stands for the function of a loss."""
    if loss.function is None:
        return None
    wanted = loss.function.__name__.replace("_", "") + "loss"
    found = [name for name in nn.__all__ if name.lower() == wanted]
    return getattr(nn, found[0]) if found else None


def _facts(loss: Loss) -> str:
    criterion = criterion_of(loss)
    rows = {
        "Name on the command line": f"`{loss.name}`"
        if loss.on_command_line
        else "none",
        "Function": f"`offby.losses.{loss.function.__name__}`" if loss.function else "",
        "Criterion": f"`offby.nn.{criterion.__name__}`" if criterion else "",
        "Also known as": loss.also,
        "Wrong mass costs more the farther it lies": "yes"
        if loss.feels_distance
        else "no",
        "Proper": loss.proper,
        "Takes": NUMBERS[loss.takes],
        "Grounds": ", ".join(loss.grounds),
        "Kernels": "C++ on the CPU, Triton on CUDA" if loss.kernel else "plain PyTorch",
    }
    lines = [f"| {name} | {text} |" for name, text in rows.items() if text]
    return "\n".join(["| field | value |", "|---|---|", *lines])


def _pushes(loss: Loss) -> str:
    found = ", ".join(f"{push:+.2f}" for push in pictures.pushes(loss))
    return (
        "## What it pushes\n\n"
        f"![The forecast, and the push of {loss.title} on each logit]"
        f"({loss.name}.svg)\n\n"
        "The upper bars are a forecast of seven classes at distance 1 from each other; "
        "the truth is class 5. The lower bars show how one step of training moves each "
        f"logit (minus the gradient): {found}. [What a loss does to a "
        "prediction](../maths/anatomy.md) has the theory, and in [the explainer]"
        "(../explainer/index.md) you can drag the mass yourself. "
        f"{embedded.stops_of(loss)}"
    )


def _scale(loss: Loss) -> str:
    k = len(pictures.FORECAST)
    truth = k // 2 + 1
    rows = [
        ("all mass but 0.001 on each other class, on the truth", _peak(truth)),
        ("the same, one class off", _peak(truth + 1)),
        ("the same, three classes off", _peak(truth + 3)),
        ("equal probabilities", torch.full((k,), 1 / k)),
    ]
    lines = [f"| {name} | {pictures.value(loss, p, truth):.3f} |" for name, p in rows]
    set_to = pictures.SETTINGS.get(loss.name, {})
    settings = "".join(f", {name} = {to:g}" for name, to in set_to.items())
    return (
        "## Scale\n\n"
        f"Seven classes at distance 1, the truth is class {truth}{settings}:\n\n"
        "| forecast | loss |\n|---|---|\n" + "\n".join(lines)
    )


def _peak(at: int) -> torch.Tensor:
    p = torch.full((len(pictures.FORECAST),), 0.001, dtype=torch.float64)
    p[at - 1] = 1 - 0.001 * (len(pictures.FORECAST) - 1)
    return p


def _choosing(loss: Loss) -> str:
    text = (stage.DOCS / "choosing.md").read_text(encoding="utf-8")
    header = re.search(r"^\|[^\n]*\n\|[-| ]+\n(?=\| `ce`)", text, re.M)
    row = re.search(rf"^\| `{re.escape(loss.name)}` \|.*$", text, re.M)
    if header is None or row is None:
        return ""
    table = (header[0] + row[0]).replace("](", "](../")
    return (
        f"## When to take it\n\n{table}\n\n[Which loss when](../choosing.md) says more."
    )
