"""The tables of docs/verdict.md."""

from pathlib import Path

import numpy as np
from sections import between

HOME = Path(__file__).parents[1] / "docs"


def page(found: dict) -> str:
    """The tables of docs/verdict.md, in Markdown."""
    lines = [
        "| ties, by how they were made | ties | called better or worse | worst case |"
    ]
    lines.append("|---|---|---|---|")
    for title, rows in _kinds(found["ties"]).items():
        shares = [row["false"] for row in rows]
        count = len(rows) * found["repeats"]
        lines.append(
            f"| {title} | {count:,} | {_percent(float(np.mean(shares)))} | "
            f"{_percent(max(shares))} |"
        )
    lines += [
        "",
        "| a planted difference is settled (by the oracle) | RPS | log score | MAE |",
    ]
    lines.append("|---|---|---|---|")
    for key in dict.fromkeys((r["set"], r["design"]) for r in found["power"]):
        rows = [r for r in found["power"] if (r["set"], r["design"]) == key]
        cells = " | ".join(
            f"{_percent(row['settled'])} ({_percent(row['oracle'])})" for row in rows
        )
        size = f"{rows[0]['worse_by']:.0%}".replace("%", " %")
        where = f"{size}, {rows[0]['rows']:,} rows, {key[1]}: {key[0]}"
        lines.append(f"| {where} | {cells} |")
    lines += [
        "",
        "| runs of five losses, three metrics | answers settled | contradicted | "
        "same words (oracle) | settles less | settles more | opposite | fits saved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["runs"]:
        same = f"{_percent(row['same'])} ({_percent(row['same by oracle'])})"
        names = ("settles less", "settles more", "opposite", "saved")
        shares = [_percent(row[name]) for name in ("settled", "contradicted")]
        cells = " | ".join([*shares, same, *(_percent(row[name]) for name in names)])
        lines.append(f"| {row['set']}, {row['design']} | {cells} |")
    lines += [
        "",
        "| runs in which emd1 is settled as worse (by how much it is) | RPS | log | "
        "MAE |",
        "|---|---|---|---|",
    ]
    for row in found["runs"]:
        cells = " | ".join(
            f"{_percent(row[f'emd1 settled by {key}'])} "
            f"({_size(key, row[f'emd1 worse by {key}'])})"
            for key in ("rps", "log", "mae")
        )
        lines.append(f"| {row['set']}, {row['design']} | {cells} |")
    lines += [
        "",
        "| variance of a fold's mean / what its rows explain | RPS | log | MAE |",
    ]
    lines.append("|---|---|---|---|")
    for key in dict.fromkeys(r["set"] for r in found["prior"]):
        rows = [r for r in found["prior"] if r["set"] == key]
        cells = " | ".join(f"{row['ratio']:.1f}" for row in rows)
        lines.append(f"| {key} | {cells} |")
    return "\n".join(lines)


def _kinds(ties: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in ties:
        match row["of"]:
            case "seeds":
                few = ", 100 rows" if row["rows"] == 100 else ""
                title = f"one loss, other seeds{few}: {row['design']}"
            case "losses":
                title = f"four losses, means made equal: {row['design']}"
            case _:
                title = f"made up, {row['tails']}, {row['rows']:,} rows"
        found.setdefault(title, []).append(row)
    return found


def _size(metric: str, worse_by: float) -> str:
    return f"{worse_by:.2f} nats" if metric == "log" else f"{100 * worse_by:.0f} %"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


MARKS = ("<!-- study -->\n", "\n<!-- end of study -->")


def write_page(found: dict, file: Path = HOME / "verdict.md") -> None:
    """Put the tables into the page."""
    text = file.read_text(encoding="utf-8")
    file.write_text(between(text, *MARKS, page(found)), encoding="utf-8")
