import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from click.testing import CliRunner

import offby
from offby import explain
from offby.cli import main

from .report_data import comparison

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
PAGE = ROOT / "src" / "offby" / "explain" / "page.html"
GOLDEN = WEB / "golden.json", WEB / "compared.json"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="needs Node, which is not on this machine"
)
needs_modules = pytest.mark.skipif(
    not (WEB / "node_modules" / "esbuild").is_dir(),
    reason="needs the packages of web/package-lock.json: npm ci --prefix web",
)


def node(*words):
    return subprocess.run(["node", *map(str, words)], capture_output=True, text=True)


def data_of(page):
    (text,) = re.findall(r'id="data">(.*?)</script>', page)
    return json.loads(text)


def call(*words):
    return CliRunner().invoke(main, ["explain", *words], catch_exceptions=False)


def test_page_is_small_and_asks_for_nothing():
    page = explain.render()
    assert len(page.encode()) <= 300_000
    addresses = set(re.findall(r"https?://[^\s\"'`)]*", page))
    # Names of languages, not places: nothing is fetched from them.
    assert all(address.startswith("http://www.w3.org/") for address in addresses)
    assert "default-src 'none'" in page
    assert not re.search(r"\beval\(|new Function", page)


def test_page_and_package_agree_on_how_many_bins_can_be_drawn():
    source = (WEB / "src" / "data.ts").read_text(encoding="utf-8")
    assert f"MOST_BINS = {explain.MOST_BINS};" in source


def test_comparison_goes_in_whole_and_nothing_else_changes():
    made = comparison("number", bins=12)
    page = explain.render(made)
    data = data_of(page)
    assert [row["probs"] for row in data["rows"]] == [
        {name: list(probs) for name, probs in row.probs.items()} for row in made.rows
    ]
    assert data["edges"] == list(made.data.edges)
    plain = re.sub(r'(id="data">).*?</script>', r"\1null</script>", page)
    assert plain == explain.render()
    assert page == explain.render(made)


def test_a_column_named_like_a_tag_stays_text():
    page = explain.render(comparison(target="</script><script>alert(1)</script>"))
    assert page.count("</script>") == explain.render().count("</script>")
    assert data_of(page)["target"] == "</script><script>alert(1)</script>"


def on(ground, **changes):
    made = comparison()
    saved = {**ground.to_dict(), **changes}
    return replace(made, data=replace(made.data, ground=saved))


def test_classes_on_a_circle_go_into_the_page():
    data = data_of(explain.render(on(offby.Circle(range(6), 8, "chord"))))
    assert data["circle"] == {"period": 8, "distance": "chord"}
    assert data_of(explain.render(comparison()))["circle"] is None


PLANTS = ["ash", "animal/dog", "plant/oak", "animal/cat", "plant/elm", "plant/fir"]


def test_classes_of_a_tree_go_into_the_page_in_the_order_of_its_branches():
    tree = offby.Tree.from_paths(PLANTS, lengths={"animal": 2.5, "plant/oak": 0.5})
    made = on(tree)
    grids = [replace(row.grid, labels=tuple(PLANTS)) for row in made.rows]
    rows = [replace(row, grid=grid) for row, grid in zip(made.rows, grids, strict=True)]
    data = data_of(explain.render(replace(made, rows=tuple(rows))))
    assert data["labels"] == ["ash", "dog", "cat", "oak", "elm", "fir"]
    order = [0, 1, 3, 2, 4, 5]
    assert data["apart"]["cost"] == tree.cost[order][:, order].tolist()
    assert data["apart"]["paths"][:2] == [["ash"], ["animal", "dog"]]
    assert [2.5, 1, 3] in data["apart"]["cuts"]
    assert [1.0, 3, 6] in data["apart"]["cuts"]
    for shown, row in zip(data["rows"], rows, strict=True):
        assert order[shown["true"]] == row.true
        for name, probs in row.probs.items():
            assert shown["probs"][name] == [probs[k] for k in order]


def test_a_tree_without_names_has_numbered_branches():
    data = data_of(explain.render(on(offby.Tree([6, 7, 6, 7, 6, 8, 8, 8, -1]))))
    assert [path[:-1] for path in data["apart"]["paths"]] == [
        *([["branch 1"]] * 3),
        *([["branch 2"]] * 2),
        [],
    ]


def test_costs_go_into_the_page_as_they_are():
    ground = offby.Costs.from_features([[0, 0], [3, 4], [0, 4], [1, 1], [2, 0], [5, 5]])
    apart = data_of(explain.render(on(ground)))["apart"]
    assert apart == {"cost": ground.cost.tolist(), "paths": [], "cuts": []}
    assert data_of(explain.render(comparison()))["apart"] is None


def with_row(**changes):
    made = comparison()
    return replace(made, rows=(replace(made.rows[0], **changes), *made.rows[1:]))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (comparison("number", bins=1_001), "draws 2 to 300 bins, .* has 1,001"),
        (replace(comparison(), rows=()), "must hold rows"),
        (with_row(probs={"ce": (float("nan"),) * 6}), "prediction of ce .* nan"),
        (with_row(probs={"ce": (1.0,)}), "must be 6 probabilities"),
        (with_row(true=6), "truth of row"),
        (on(offby.Circle.regular(6), kind="Sphere"), "lie on Sphere; update offby"),
    ],
)
def test_rows_that_cannot_be_drawn_are_refused(made, says):
    with pytest.raises(ValueError, match=says):
        explain.render(made)


def test_command_writes_the_page_and_says_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call()
    assert (result.exit_code, result.stdout) == (0, "The page is explain.html.\n")
    assert Path("explain.html").read_text(encoding="utf-8") == explain.render()
    Path("c.json").write_text(comparison().to_json())
    assert call("c.json", "--out", "own.html").exit_code == 0
    assert data_of(Path("own.html").read_text(encoding="utf-8"))["target"] == "quality"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "c.json",
        "explain.html",
        "own.html",
    ]


def test_choosing_repeats_the_advice_of_the_stops():
    stops = re.findall(
        r'</span>([^<]*)</button></h2><div class="body">.*?'
        r'<p class="advice">(.*?)</p></div></li>',
        explain.render(),
    )
    said = [(title, re.sub("</?code>", "`", advice)) for title, advice in stops]
    guide = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    guide = guide.partition("## Seen by hand")[2].partition("\n## ")[0]
    assert re.findall(r"^\d\. \*\*(.*?)\.?\*\* (.*)$", guide, re.M) == said
    assert len(said) == 7


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        (None, ["c.json"], "must be a file that can be read"),
        ("no json", ["c.json"], "must be JSON written by offby compare"),
        ("{}", ["c.json"], "must be a comparison"),
        ('{"schema_version": 1}', ["c.json"], "must be JSON written by offby compare"),
        ('{"schema_version": 99}', ["c.json"], "update offby"),
        ("{}", ["c.json", "-o", "c.json"], "must not be the comparison itself"),
        ("{}", ["-o", "gone/x.html"], "make 'gone' first"),
    ],
)
def test_wrong_use_is_a_sentence_and_code_2(tmp_path, monkeypatch, text, words, says):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("c.json").write_text(text)
    result = call(*words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.glob("*.html"))


def test_nan_in_the_file_is_a_sentence(tmp_path):
    raw = json.loads(comparison().to_json())
    raw["rows"][0]["probs"]["ce"][0] = float("nan")
    (tmp_path / "c.json").write_text(json.dumps(raw))
    result = call(str(tmp_path / "c.json"), "-o", str(tmp_path / "p.html"))
    assert result.exit_code == 2
    assert "must be 6 probabilities, got nan" in result.stderr


def test_page_alone_needs_no_pytorch(tmp_path):
    code = (
        "import sys\nfrom offby.cli import main\n"
        f"words = ['explain', '-o', {str(tmp_path / 'p.html')!r}]\n"
        "main(words, standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@needs_node
def test_built_page_computes_what_python_computes():
    """Its own script, run in Node: values, weights, pushes, and the ends of runs."""
    found = node(WEB / "check.mjs", PAGE, *GOLDEN)
    assert found.returncode == 0, found.stdout + found.stderr
    compared, runs = re.findall(r"(\d+) (?:numbers|runs)", found.stdout)
    assert int(compared) > 20_000
    assert int(runs) > 100


@needs_node
def test_the_check_of_the_page_can_fail(tmp_path):
    states = json.loads((WEB / "golden.json").read_text())[1:9]
    states[3]["losses"]["emd2"]["pushes"][0] += 1e-7
    (tmp_path / "golden.json").write_text(json.dumps(states))
    rows = json.loads((WEB / "compared.json").read_text())
    # As the page was before it knew the unit of the training.
    rows["prices"]["data"]["measure"] = None
    (tmp_path / "compared.json").write_text(json.dumps(rows))
    found = node(
        WEB / "check.mjs", PAGE, tmp_path / "golden.json", tmp_path / "compared.json"
    )
    assert found.returncode == 1
    assert "failed\nstate 3 " in found.stdout
    assert "prices, row 0 as ce predicts it, emd1, value" in found.stdout


def script_of_the_page(name):
    spec = spec_from_file_location(name, WEB / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_losses_of_compared_rows_are_those_of_the_training_today():
    """What the page is held against: the unit, the scale and the tails of a fit."""
    kept = json.loads((WEB / "compared.json").read_text())
    found = script_of_the_page("compared").whole()
    assert found.keys() == kept.keys()
    for name, now in found.items():
        then = kept[name]
        for part in ("unit", "edges"):
            same = pytest.approx(then["data"]["measure"][part], rel=1e-9)
            assert now["data"]["measure"][part] == same
        for models, wanted in zip(now["rows"], then["rows"], strict=True):
            for model, losses in models.items():
                assert losses.keys() == wanted[model].keys()
                for loss, parts in losses.items():
                    for key, numbers in parts.items():
                        same = pytest.approx(wanted[model][loss][key], rel=1e-9)
                        assert numbers == same, (name, model, loss, key)


def test_golden_states_are_what_python_says_today():
    script = script_of_the_page("golden")
    kept = json.loads((WEB / "golden.json").read_text())
    assert len(kept) == script.STATES == 200
    every = 19
    for found, state in zip(
        script.golden(every, ends=False), kept[::every], strict=True
    ):
        assert found.keys() == state.keys()
        assert found["losses"].keys() == state["losses"].keys()
        for name, parts in found["losses"].items():
            for key, numbers in parts.items():
                wanted = state["losses"][name][key]
                assert numbers == pytest.approx(wanted, rel=1e-9, abs=1e-9), (name, key)


@needs_node
@needs_modules
def test_committed_page_is_the_build_of_its_sources(tmp_path):
    checked = subprocess.run(
        [WEB / "node_modules" / ".bin" / "tsc", "--noEmit", "--project", WEB],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
    built = node(WEB / "build.mjs", tmp_path / "page.html")
    assert built.returncode == 0, built.stderr[-2000:]
    fresh = (tmp_path / "page.html").read_text(encoding="utf-8")
    same = fresh == PAGE.read_text(encoding="utf-8")
    assert same, "page.html is stale; build it: npm run build --prefix web"
