"""Mutation test: single changes of the source that no test notices.

    python tests/mutants.py                    a sample of every file in TESTS
    python tests/mutants.py losses --each 20   20 mutations of each file of one folder
    python tests/mutants.py --minutes 30       what can be tested in half an hour

Each mutation is made in a copy of the source, and the tests of that file run on it. A
survivor is a missing test, or a line that is not needed. The summary is printed also if
the run is stopped before its end. Not part of the suite: a sample takes about an hour.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "offby"
TESTS = {
    "losses": "test_losses test_registry test_targets",
    "grounds": "test_grounds test_laws",
    "bins": "test_bins test_support test_scales",
    "targets": "test_targets test_soft_labels",
    "distribution": "test_distribution test_half_normal test_class_distribution "
    "test_forecast_object test_decide test_circular",
    "decode": "test_decode",
    "weighted.py": "test_weighted",
    "metrics": "test_metrics test_metrics_ground test_scorers test_agreement",
    "theory": "test_anatomy test_debias",
    "kernels": "test_kernels test_kernels_autograd",
}
"""Test files of each folder or file."""

_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a slip could have made of a node."""
    changed = copy.deepcopy(node)
    match changed:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            changed.ops = [_COMPARISONS[type(op)]()]
            yield changed
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            changed.op = _OPERATORS[type(op)]()
            yield changed
        case ast.BoolOp(op=ast.And()):
            changed.op = ast.Or()
            yield changed
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 1.5 if value else 1.0)
        case _:
            return


def mutations(text: str) -> list[tuple[int, str, str]]:
    """Line, what is changed, and the text with one change, for all changes."""
    tree, lines = ast.parse(text), text.splitlines(keepends=True)
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                if getattr(node, "lineno", 0) != getattr(node, "end_lineno", 1):
                    continue
                for changed in variants(node):
                    assert isinstance(node, ast.expr)
                    assert node.end_col_offset is not None
                    line = lines[node.lineno - 1].encode()
                    here = line[node.col_offset : node.end_col_offset].decode()
                    new = f"({ast.unparse(changed)})"
                    after = line[: node.col_offset] + new.encode()
                    after += line[node.end_col_offset :]
                    every = list(lines)
                    every[node.lineno - 1] = after.decode()
                    found.append((node.lineno, f"{here} -> {new}", "".join(every)))
    return list(dict.fromkeys(found))  # Those of nested functions come twice.


def survives(copied: Path, tests: str) -> bool:
    """Whether all tests pass on the mutated copy."""
    files = [str(ROOT / "tests" / f"{name}.py") for name in tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(copied), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    # The project's own path, src, would come before the copy.
    command += ["-o", f"pythonpath={copied} {ROOT}"]
    try:
        ran = subprocess.run(
            [*command, *files],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=False,
            timeout=600,
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def sample(rooms: list[str], each: int, seed: int) -> Iterator[tuple[str, Path, list]]:
    """Room, file and a draw of its mutations, file by file."""
    for room in rooms:
        below = SOURCE / room
        for file in sorted(below.rglob("*.py")) if below.is_dir() else [below]:
            found = mutations(file.read_text(encoding="utf-8"))
            chance = random.Random(f"{seed} {file.name}")
            yield room, file, chance.sample(found, min(each, len(found)))


def outcomes(
    rooms: list[str], each: int, seed: int, until: float
) -> Iterator[tuple[bool, str]]:
    """Of every mutation, until the time is up: whether it survived, and what it is."""
    checked = set()
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        shutil.copytree(SOURCE, copied / "offby")
        for room, file, drawn in sample(rooms, each, seed):
            tests = TESTS[room.split("/")[0]]
            # Tests that fail as it is would count every mutation as killed.
            if tests not in checked and not survives(copied, tests):
                raise SystemExit(
                    f"{tests} must pass on the source as it is, but do not; mend them "
                    "before looking for mutations that they miss"
                )
            checked.add(tests)
            target = copied / "offby" / file.relative_to(SOURCE)
            for line, change, mutated in drawn:
                if time.monotonic() > until:
                    return
                target.write_text(mutated, encoding="utf-8")
                what = f"{file.relative_to(ROOT)}:{line}: {change}"
                yield survives(copied, tests), what
            shutil.copy(file, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(TESTS))
    parser.add_argument("--each", type=int, default=3, help="mutations of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    wanted = parser.parse_args()
    # `timeout` and `kill` end a run as Ctrl+C does: with a summary.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    until = time.monotonic() + 60 * wanted.minutes
    killed = survived = 0
    try:
        for lives, what in outcomes(wanted.rooms, wanted.each, wanted.seed, until):
            survived, killed = survived + lives, killed + (not lives)
            if lives:
                print(f"survived: {what}", flush=True)  # noqa: T201
    except KeyboardInterrupt:
        print("stopped before the end")  # noqa: T201
    print(f"{killed} killed, {survived} survived")  # noqa: T201


if __name__ == "__main__":
    main()
