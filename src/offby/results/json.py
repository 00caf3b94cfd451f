"""Dataclasses as JSON and back, and comparisons of earlier schemas."""

import json
from dataclasses import asdict, fields, is_dataclass
from itertools import pairwise
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

SCHEMA_VERSION = 4

Record = TypeVar("Record")


def dumps(record: Any) -> str:
    """A dataclass as JSON text."""
    return json.dumps(asdict(record), indent=1, allow_nan=False)


def loads(kind: type[Record], text: str) -> Record:
    """The comparison that `dumps` wrote, also where an earlier offby wrote it.

    Raises:
        ValueError: If the text is no comparison, or of a newer schema.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ValueError(
            f"the comparison must be JSON written by offby compare, got {error}"
        ) from error
    if not isinstance(raw, dict) or "schema_version" not in raw:
        raise ValueError("the JSON must be a comparison written by offby compare")
    if raw["schema_version"] > SCHEMA_VERSION:
        raise ValueError(
            f"the comparison has schema {raw['schema_version']}, this offby reads "
            f"up to {SCHEMA_VERSION}; update offby"
        )
    if raw["schema_version"] == 1:
        raw = _from_schema_1(raw)
    if raw["schema_version"] == 2:
        raw = _from_schema_2(raw)
    if raw["schema_version"] == 3:
        raw = _from_schema_3(raw)
    return _typed(kind, raw)


def _typed(kind: Any, value: Any) -> Any:
    """A value as the type hint says: JSON has neither dataclasses nor tuples."""
    origin, parts = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        # A field that an earlier schema did not have keeps its default.
        given = {f.name: value[f.name] for f in fields(kind) if f.name in value}
        typed = {name: _typed(hints[name], part) for name, part in given.items()}
        return kind(**typed)  # type: ignore[operator]
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _typed(next(part for part in parts if part is not type(None)), value)
    if origin is tuple:
        inner = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        return tuple(_typed(k, part) for k, part in zip(inner, value, strict=True))
    if origin is dict and parts[1] is not Any:
        return {key: _typed(parts[1], part) for key, part in value.items()}
    return value


def _from_schema_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 2 gathered the seconds in one place and gave verdicts parts."""
    seconds = {item["method"]: item["seconds"] for item in raw["training"]}
    kept = [{k: v for k, v in t.items() if k != "seconds"} for t in raw["training"]]
    run = {key: value for key, value in raw["run"].items() if key != "seconds"}
    answers = [
        {"metric": "", "best": "", "ties": [], "unsure": [], "sentence": sentence}
        for sentence in raw["verdicts"]
    ]
    timing = {"seconds": raw["run"]["seconds"], "fits": seconds}
    new = {"training": kept, "run": run, "verdicts": answers, "timing": timing}
    return {**raw, **new, "schema_version": 2}


def _from_schema_2(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 3 gave each row the bins of its own fold.

    Earlier ones had the bins of the whole table only. Where their number is another
    one, the bins of the row are unknown and get numbers for names.
    """
    rows = [row | {"grid": _grid(raw["data"], row)} for row in raw["rows"]]
    renamed = {"takeovers": raw.get("flips", [])}
    return {**raw, **renamed, "rows": rows, "schema_version": 3}


def _grid(data: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    n_bins = max((len(probs) for probs in row["probs"].values()), default=0)
    if n_bins in (0, len(data["labels"])):
        return {name: data[name] for name in ("labels", "positions", "edges")}
    edges = [float(place) for place in range(n_bins + 1)] if data["edges"] else []
    return {
        "labels": [f"bin {place + 1}" for place in range(n_bins)],
        "positions": [(a + b) / 2 for a, b in pairwise(range(n_bins + 1))],
        "edges": edges,
    }


def _from_schema_3(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 4 knows three answers, and compares with the leader only.

    Their intervals are kept as they were made, and read by today's rule.
    """
    lead = {answer["metric"]: answer["best"] for answer in raw["verdicts"]}
    rope = raw["run"]["rope"]
    kept = [
        _three_answers(difference, rope)
        for difference in raw["differences"]
        if lead.get(difference["metric"], difference["other"]) == difference["other"]
    ]
    return {**raw, "differences": kept, "schema_version": 4}


def _three_answers(difference: dict[str, Any], rope: float) -> dict[str, Any]:
    mean, relative = difference["mean"], difference["relative"]
    scale = abs(relative / mean) if mean else 0.0
    # The method was the worse of the two, so the mean says which way worse is.
    towards = scale if mean >= 0 else -scale
    low, high = sorted(towards * difference[end] for end in ("low", "high"))
    verdict = difference["verdict"]
    if scale and -rope <= low and high <= rope:
        verdict = "practically equal"
    elif verdict.startswith("slightly "):
        verdict = verdict.removeprefix("slightly ")
    elif verdict not in ("better", "worse"):
        verdict = "not settled"
    shares = {"worse_by": abs(relative), "worse_by_low": low, "worse_by_high": high}
    return difference | shares | {"verdict": verdict}
