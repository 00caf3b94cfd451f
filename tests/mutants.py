"""Mutation test: single changes of the source that no test notices.

    python tests/mutants.py                    a sample of every file in TESTS
    python tests/mutants.py losses --each 20   20 mutations of each file of one folder
    python tests/mutants.py losses --total 20  20 mutations of the whole folder
    python tests/mutants.py --minutes 30       what can be tested in half an hour
    python tests/mutants.py decode --out docs/mutants.json    keeps what was found there
    python tests/mutants.py decode --out docs/mutants.json --again  tries survivors only
    python tests/mutants.py page               writes docs/mutants.md from that file

The tests of a folder run once under coverage, which says what tests run each line, and
how long each takes. Every mutation is then made in a copy of the source and tried by
those tests alone, quickest first, in a fork that has the large libraries loaded. With
`--whole` nothing is measured first: all tests of the folder try each mutation, which is
quicker where they take seconds. A survivor is a missing test, or a line that is not
needed. The summary is printed also if the run is stopped before its end. Not part of
the suite: a sample takes about an hour.
"""

import argparse
import ast
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "offby"
KEPT = ROOT / "docs" / "mutants.json"
TESTS = {
    "losses": "losses registry targets family_losses own_loss transport",
    "grounds": "grounds laws ground_combinations",
    "bins": "bins support scales",
    "targets": "targets soft_labels kernels_targets",
    "distribution": "distribution half_normal class_distribution forecast_object "
    "decide circular",
    "decode": "decode",
    "weighted.py": "weighted copies",
    "metrics": "metrics metrics_ground scorers agreement",
    "theory": "anatomy debias",
    "kernels": "kernels kernels_autograd linear",
    "nn": "nn nn_mixed nn_settings nn_values heads linear subset_loss mistakes",
    "boosting": "boosting/*",
    "tabular": "training networks encoding copies scales support calibration conformal "
    "estimator_* estimators",
    "comparison": "compare_* noise runs statistics findings target_scale progress why "
    "reliability final_test own_loss effort",
    "results": "card findings own_loop report",
    "models": "models archive onnx",
    "tables": "tables tables/*",
    "report": "report",
    "explain": "explain",
    "cli": "cli cli_ground cli_own_loss effort",
    "losses/_solvers.py": "transport",
    "losses/_transport.py": "transport",
    "tabular/copies.py": "copies",
    "cli/effort.py": "effort",
    "comparison/budget.py": "effort",
    "comparison/inference.py": "statistics",
    "comparison/looks.py": "statistics",
    "comparison/reliability.py": "reliability",
    "comparison/target_scale.py": "target_scale",
    "comparison/why.py": "why",
    "comparison/noise": "noise",
    "tabular/calibration.py": "calibration",
    "tabular/conformal.py": "conformal",
    "tabular/target_scales.py": "scales",
    "tabular/circular.py": "circular",
    "tabular/encoders": "encoding",
    "results/card.py": "card",
    "results/findings.py": "findings",
    "kernels/targets.py": "kernels_targets",
    "kernels/masses.py": "kernels_masses",
    "nn/_mixed.py": "nn_mixed",
    "nn/heads": "heads",
}
"""Test files of each folder or file: tests/test_NAME.py, or all of a folder. A file
below a folder of this table has tests of its own: they alone must notice a change."""
SLOWEST = 60.0
"""Seconds that the tests of one mutation may take beyond ten times their usual time."""

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
    # zip(strict=True) asserts what the code around it knows.
    asserted = {
        id(word.value)
        for word in ast.walk(tree)
        if isinstance(word, ast.keyword) and word.arg == "strict"
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                if getattr(node, "lineno", 0) != getattr(node, "end_lineno", 1):
                    continue
                if id(node) in asserted:
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


@dataclass(frozen=True)
class Reach:
    """What the tests of a folder run."""

    tests_of: dict[Path, dict[int, list[str]]]
    """Of each file and line: the tests that run it, as pytest's names."""
    seconds: dict[str, float]
    """Of each test, all its cases together."""
    whole: dict[str, float]
    """Of each file of tests: what its fixtures run is run for all of them."""

    def tests(self, file: Path, line: int) -> list[str]:
        """Those that run a line, the quickest first; all if no test does by itself."""
        named = self.tests_of.get(file, {}).get(line) or list(self.seconds)
        return sorted(named, key=self.usual)

    def usual(self, name: str) -> float:
        """Seconds that a test, or a file of tests, usually takes."""
        return self.seconds.get(name, self.whole.get(name, 0.0))


def room_of(place: str) -> str:
    """What TESTS says of a place, or of the folder that it lies in."""
    held = [room for room in TESTS if place == room or place.startswith(f"{room}/")]
    if not held:
        raise SystemExit(f"TESTS names no tests of {place}; add a line there")
    return max(held, key=len)


def test_files(room: str) -> list[str]:
    """The files of tests of a room, relative to the project."""
    found = []
    for name in TESTS[room].split():
        pattern = name if "/" in name else f"test_{name}"
        found += sorted((ROOT / "tests").glob(f"{pattern}.py"))
    if not found:
        raise SystemExit(f"no file of tests is named in TESTS for {room}")
    return [str(file.relative_to(ROOT)) for file in dict.fromkeys(found)]


def pytest_runtest_setup(item: Any) -> None:
    """As a plugin of pytest: what runs from here on is run by this test."""
    _measure_as(item.nodeid.partition("[")[0])


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
    """What a fixture of a file runs is run for all its tests, not only the first."""
    if fixturedef.scope == "function":
        return (yield)
    item = request._pyfuncitem.nodeid
    _measure_as(item.partition("::")[0])
    try:
        return (yield)
    finally:
        _measure_as(item.partition("[")[0])


def _measure_as(name: str) -> None:
    from coverage import Coverage

    measuring = Coverage.current()
    if measuring is not None:
        measuring.switch_context(name)


def reach(room: str, folder: Path) -> Reach:
    """Run the tests of a room once under coverage."""
    from coverage import CoverageData

    settings, data, times = (folder / name for name in ("rc", "data", "times.xml"))
    settings.write_text(f"[run]\ndata_file = {data}\nsource = {SOURCE}\n")
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}"]
    # Contexts of coverage's own are names of functions: of a law that Hypothesis tries
    # it sees a function of Hypothesis.
    command += ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants"]
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [*command, f"--junitxml={times}", *test_files(room)],
        cwd=ROOT,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        # Tests that fail as it is would count every mutation as killed.
        print(ran.stdout[-2000:])  # noqa: T201
        raise SystemExit(f"the tests of {room} must pass before mutations are tried")
    seconds: defaultdict[str, float] = defaultdict(float)
    for case in ElementTree.parse(times).iter("testcase"):
        name = _node(f"{case.get('classname')}.{str(case.get('name')).split('[')[0]}")
        took = float(case.get("time") or 0)
        seconds[name] += took
    whole: defaultdict[str, float] = defaultdict(float)
    for name, took in seconds.items():
        whole[name.partition("::")[0]] += took
    measured = CoverageData(str(data))
    measured.read()
    known = seconds | whole
    tests_of = {
        Path(file): {
            line: [name for name in names if name in known]
            for line, names in measured.contexts_by_lineno(file).items()
        }
        for file in measured.measured_files()
    }
    return Reach(tests_of, dict(seconds), dict(whole))


def _node(name: str) -> str:
    """tests.test_bins.test_index, and with a class between, in pytest's writing."""
    words = name.split(".")
    for n in range(len(words), 0, -1):
        file = ROOT.joinpath(*words[:n]).with_suffix(".py")
        if file.is_file():
            return "::".join([str(file.relative_to(ROOT)), *words[n:]])
    return name


def survives(copied: Path, tests: list[str], seconds: float) -> bool:
    """Whether all tests pass on the mutated copy, tried in a fork of this process."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = _run_tests(copied, tests)
        finally:  # Without the clean-up of the process that it was forked from.
            os._exit(status)
    end = time.monotonic() + SLOWEST + 10 * seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(copied: Path, tests: list[str]) -> int:
    os.setsid()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ |= {"PYTHONPATH": str(copied), "OMP_NUM_THREADS": "1"}
    os.chdir(ROOT)
    # The project's own path, src, would come before the copy.
    paths = f"pythonpath={copied} {ROOT}"
    return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-o", paths, *tests]))


def outcomes(
    places: list[str],
    drawn_of: Callable[[str], Iterator[tuple[Path, list]]],
    *,
    whole: bool,
    until: float,
) -> Iterator[tuple[str, bool, str]]:
    """Of every mutation until the time is up: place, if it survived, and what it is."""
    import sklearn.model_selection  # noqa: F401 Loaded once, for all forks.
    import torch  # noqa: F401

    for place in places:
        room = room_of(place)
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder)
            all_tests = Reach({}, dict.fromkeys(test_files(room), 1.0), {})
            reached = all_tests if whole else reach(room, copied)
            shutil.copytree(SOURCE, copied / "offby")
            quick = sorted(reached.seconds, key=lambda name: reached.seconds[name])[:20]
            if not survives(copied, quick, 60.0):
                raise SystemExit(
                    f"tests of {room} fail in a fork on the source as it is"
                )
            for file, drawn in drawn_of(place):
                target = copied / "offby" / file.relative_to(SOURCE)
                for line, change, mutated in drawn:
                    if time.monotonic() > until:
                        return
                    target.write_text(mutated, encoding="utf-8")
                    tests = reached.tests(file, line)
                    usual = sum(map(reached.usual, tests))
                    what = _named(file, line, change)
                    yield place, survives(copied, tests, usual), what
                shutil.copy(file, target)


def sample(place: str, each: int, seed: int) -> Iterator[tuple[Path, list]]:
    """Each file of a folder and a draw of its mutations."""
    for file in _files(place):
        found = mutations(file.read_text(encoding="utf-8"))
        chance = random.Random(f"{seed} {file.name}")
        yield file, chance.sample(found, min(each, len(found)))


def sample_of_all(place: str, total: int, seed: int) -> Iterator[tuple[Path, list]]:
    """The files of a folder that one draw from all its mutations meets.

    Files that have tests of their own in TESTS are drawn from under their own name.
    """
    files = [file for file in _files(place) if _room_of_file(file) == room_of(place)]
    every = [
        (file, each)
        for file in files
        for each in mutations(file.read_text(encoding="utf-8"))
    ]
    drawn = random.Random(f"{seed} {place}").sample(every, min(total, len(every)))
    for file in files:
        if chosen := [each for at, each in drawn if at == file]:
            yield file, chosen


def _files(place: str) -> list[Path]:
    below = SOURCE / place
    return sorted(below.rglob("*.py")) if below.is_dir() else [below]


def _room_of_file(file: Path) -> str:
    return room_of(file.relative_to(SOURCE).as_posix())


def survivors(place: str, kept: dict) -> Iterator[tuple[Path, list]]:
    """Each file of a place and those of its mutations that survived before."""
    alive = kept.get(place, {}).get("survived", {})
    for file, found in sample(place, sys.maxsize, 0):
        yield file, [each for each in found if _named(file, *each[:2]) in alive]


def _named(file: Path, line: int, change: str) -> str:
    return f"{file.relative_to(ROOT)}:{line}: {change}"


def tried_again(kept: dict, found: list[tuple[str, bool, str]]) -> dict:
    """The file's content once survivors were tried again."""
    alive = {what for _, lives, what in found if lives}
    for place, lives, what in found:
        if not lives:
            kept[place]["killed"] += 1
            if what not in alive:  # Two changes of a line may look the same.
                kept[place]["survived"].pop(what, None)
    return kept


def keep(file: Path, found: list[tuple[str, bool, str]], draw: dict[str, int]) -> None:
    """Put the outcomes of the places that were tried into a file, in place of older.

    `draw` is how the sample was drawn.
    What a person wrote there of a survivor, why it is equal in effect, stays if the
    change survives again.
    """
    kept = json.loads(file.read_text()) if file.exists() else {}
    for place in dict.fromkeys(place for place, _, _ in found):
        alive = [what for where, lives, what in found if where == place and lives]
        reasons = kept.get(place, {}).get("survived", {})
        kept[place] = {
            **draw,
            "killed": sum(where == place and not lives for where, lives, _ in found),
            "survived": {what: reasons.get(what, "") for what in alive},
        }
    _write(file, kept)


def _write(file: Path, kept: dict) -> None:
    text = json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")


def table(kept: dict) -> str:
    """What was tried, in Markdown: a row for each place, then the survivors."""
    lines = ["| part | tried | killed | equal in effect | survive | share killed |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    sums = [0, 0, 0]
    for place, found in kept.items():
        killed, equal = found["killed"], sum(map(bool, found["survived"].values()))
        row = killed, equal, len(found["survived"]) - equal
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        lines.append(_row(f"`{place}`", *row))
    lines += [_row("all", *sums), "", "Survivors:", ""]
    for found in kept.values():
        for what, why in found["survived"].items():
            lines.append(f"- `{what}`: {why or 'no test notices'}.")
    return "\n".join(lines)


def _row(name: str, killed: int, equal: int, alive: int) -> str:
    share = killed / max(killed + alive, 1)
    tried = killed + equal + alive
    return f"| {name} | {tried} | {killed} | {equal} | {alive} | {share:.0%} |"


def write_page() -> None:
    """The table of docs/mutants.md anew."""
    page = KEPT.with_suffix(".md")
    begin, end = "<!-- table -->\n", "<!-- end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    shown = table(json.loads(KEPT.read_text(encoding="utf-8")))
    page.write_text(f"{before}{begin}{shown}\n{end}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folders = [room for room in TESTS if "/" not in room]
    parser.add_argument("places", nargs="*", default=folders)
    parser.add_argument("--each", type=int, default=3, help="mutations of each file")
    parser.add_argument("--total", type=int, help="mutations of each folder, instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--out", type=Path, help="JSON file that keeps what was found")
    parser.add_argument("--again", action="store_true", help="survivors of that file")
    parser.add_argument("--whole", action="store_true", help="all tests try each")
    wanted = parser.parse_args()
    if wanted.places == ["page"]:
        return write_page()
    before = json.loads(wanted.out.read_text()) if wanted.again else {}
    if wanted.total is None:
        draw = {"each": wanted.each, "seed": wanted.seed}
        drawn_of = partial(sample, **draw)
    else:
        draw = {"total": wanted.total, "seed": wanted.seed}
        drawn_of = partial(sample_of_all, **draw)
    if wanted.again:
        drawn_of = partial(survivors, kept=before)
    # `timeout` and `kill` end a run as Ctrl+C does: with a summary.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    until = time.monotonic() + 60 * wanted.minutes
    found: list[tuple[str, bool, str]] = []
    try:
        for outcome in outcomes(
            wanted.places, drawn_of, whole=wanted.whole, until=until
        ):
            found.append(outcome)
            if outcome[1]:
                print(f"survived: {outcome[2]}", flush=True)  # noqa: T201
    except KeyboardInterrupt:
        print("stopped before the end")  # noqa: T201
    for place, tried in Counter(place for place, _, _ in found).items():
        survived = sum(lives for where, lives, _ in found if where == place)
        print(f"{place}: {tried - survived} killed, {survived} survived")  # noqa: T201
    if wanted.again:
        _write(wanted.out, tried_again(before, found))
    elif wanted.out is not None:
        keep(wanted.out, found, draw)


if __name__ == "__main__":
    main()
