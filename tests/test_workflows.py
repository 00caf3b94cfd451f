"""What GitHub runs for us: only code that cannot change behind our back."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_actions_are_named_by_the_hash_of_their_version():
    named = [
        line.partition("uses:")[2].strip()
        for file in WORKFLOWS
        for line in file.read_text().splitlines()
        if "uses:" in line
    ]
    assert named
    # A tag may be moved to other code, a hash may not; the version is for the reader.
    assert [
        use for use in named if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d.*", use)
    ] == []
    # One version of each everywhere.
    assert len(set(named)) == len({use.partition("@")[0] for use in named})


def test_every_target_of_make_that_a_workflow_runs_is_there():
    makefile = (ROOT / "Makefile").read_text()
    runs = {
        target
        for file in WORKFLOWS
        for line in re.findall(r"run: make (.+)|target: \[(.+)\]", file.read_text())
        for target in re.findall(r"[\w-]+", "".join(line).partition("$")[0])
    }
    assert runs >= {"docs", "test-oldest", "torch-suite", "laws"}
    assert [t for t in runs if not re.search(rf"^{t}:", makefile, flags=re.M)] == []
