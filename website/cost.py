"""What a loss costs, from the JSON files of the benchmarks."""

import json

import stage

from offby.losses.registry import Loss

ROUTES = {
    "cross_entropy": "cross-entropy",
    "wasserstein": "Wasserstein",
    "squared_emd": "squared EMD",
    "cumulative_cross_entropy": "cumulative CE",
    "sinkhorn": "Sinkhorn",
    "histogram_crps": "histogram CRPS",
}
"""What docs/family.json calls a function of `offby.losses`."""


def cost(loss: Loss) -> str:
    """The section on time; it says so if nobody has measured the loss."""
    if loss.takes == "number" and loss.function is None:
        return (
            "## Cost\n\nThat of [cross-entropy](ce.md) against probabilities, once the "
            "soft targets are made."
        )
    name = loss.function.__name__ if loss.function else ""
    parts = [part for part in (_ratios(name), _on_each_ground(name)) if part]
    if not parts:
        parts = ["The time of this loss has not been measured."]
    return "\n\n".join(["## Cost", *parts])


def _ratios(name: str) -> str:
    known = json.loads((stage.ROOT / "benchmarks/results/cpu.json").read_text())
    measured = {shape: of[name] for shape, of in known["ratios"].items() if name in of}
    if not measured:
        return ""
    shapes = " | ".join(measured)
    times = " | ".join(f"{of['ratio']:.2f}" for of in measured.values())
    return (
        "Time of the loss and its gradient on the CPU, divided by that of "
        f"`torch.nn.functional.cross_entropy`:\n\n| rows x classes | {shapes} |\n"
        f"|---|{'---|' * len(measured)}\n| time | {times} |\n\n"
        "`benchmarks/cpu.py` measured it; see [the kernels](../kernels.md)."
    )


def _on_each_ground(name: str) -> str:
    points = json.loads((stage.DOCS / "family.json").read_text())["points"]
    sizes = sorted({point["classes"] for point in points})
    own = [point for point in points if _is_of(point["route"], name)]
    lines = {}
    for point in own:
        key = (point["panel"], point["route"])
        lines.setdefault(key, {})[point["classes"]] = point["us_per_row"]
    if not lines:
        return ""
    rows = [
        f"| {route} {panel} | " + " | ".join(_cell(of.get(k)) for k in sizes) + " |"
        for (panel, route), of in sorted(lines.items())
    ]
    return (
        "Microseconds of one core for a row, loss and gradient, by the number of "
        "classes:\n\n| ground and target | "
        + " | ".join(f"{k:,}" for k in sizes)
        + f" |\n|---|{'---|' * len(sizes)}\n"
        + "\n".join(rows)
        + "\n\n`benchmarks/family.py` measured it."
    )


def _is_of(route: str, name: str) -> bool:
    known = ROUTES.get(name)
    return known is not None and (
        route == known or route.startswith((f"{known},", f"{known} "))
    )


def _cell(us: float | None) -> str:
    if us is None:
        return "–"
    return f"{us:,.0f}" if us >= 100 else f"{us:.2g}"
