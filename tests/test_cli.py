import json
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

import offby
import offby.report
from offby.cli import main

from .report_data import comparison

pytest.importorskip("polars")
pytest.importorskip("rich")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{i % 4},{1 + i % 3}" for i in range(60)]
    (tmp_path / "small.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    rows = [f"{i},{('Good', 'Fair', 'Poor')[i % 3]}" for i in range(60)]
    (tmp_path / "survey.csv").write_text("\n".join(["a,rating", *rows]) + "\n")


def call(*words):
    return CliRunner().invoke(main, [*words], catch_exceptions=False)


QUICK = ("--losses", "ce,emd2", "--folds", "2", "--seeds", "1", "--no-noise")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gone.csv", "-t", "y"], "which is neither"),
        (["small.csv"], "Missing option '-t'"),
        (["small.csv", "-t", "Y1"], "did you mean 'y'"),
        (["survey.csv", "-t", "rating"], "--order Poor,Fair,Good"),
        (["survey.csv", "-t", "rating", "--order", "Poor,Good"], "none of Fair"),
        (["survey.csv", "-t", "rating", "--bins", "5"], "leave --bins out"),
        (["small.csv", "-t", "y", "--losses", "nope"], "must be one of ce, emd1"),
        (["small.csv", "-t", "y", "--losses", "ce,mse"], "did you mean 'emd2'?"),
        (["small.csv", "-t", "y", "--losses", "crossentropy"], "did you mean 'ce'?"),
        (["small.csv", "-t", "y", "--losses", "ce,rps"], "did you mean 'emd2'?"),
        (["small.csv", "-t", "y", "--quick", "--full"], "exclude each other"),
        (["small.csv", "-t", "y", "--full", "--quick"], "exclude each other"),
        (["small.csv", "-t", "y", "-o", "x.pdf"], "use 'x.html'"),
        (["small.csv", "-t", "y", "-o", "small.csv"], "use 'small.html'"),
        (["small.csv", "-t", "y", "--json", "small.csv"], "not written by offby"),
        (["small.csv", "-t", "y", "--unseen-groups"], "needs the columns --time and"),
        (["small.csv", "-t", "y", "--losses", ","], "must name at least one loss"),
        (["small.csv", "-t", "y", "--losses", "hl-gauss"], "hl-gauss needs numbers"),
        (["small.csv", "-t", "y", "--losses", "ce+two-hot"], "two-hot needs numbers"),
        (["small.csv", "-t", "y", "--drop", "q"], "must be in the table"),
        (["small.csv", "-t", "y", "--bins", "1"], "Invalid value for '--bins'"),
        (["small.csv", "-t", "y", "-j", "0"], "must not be 0"),
        (["small.csv", "-t", "y", "--folds", "40"], "two classes must have 40"),
        (["small.csv", "-t", "y", "-o", "no/r.html"], "make 'no' first"),
        (["small.csv", "-t", "y", "-o", "."], "got the folder"),
        (["small.csv", "-t", "y", "-o", "r.html", "--json", "r.html"], "two files"),
        (
            ["small.csv", "-t", "y", "-o", "r.html", "--json", "r-explain.html"],
            "two files",
        ),
        (["small.csv", "-t", "y", "--groups", "q"], "must be in the table"),
        (["small.csv", "-t", "y", "--groups", "y"], "a column with no other use"),
        (["small.csv", "-t", "y", "--groups", "a", "--time", "a"], "no other use"),
        (["small.csv", "-t", "y", "--groups", "b"], "at least 5 groups, got 4"),
        (["small.csv", "-t", "y", "--metric", "nope"], "one of rps, log_score"),
        (["small.csv", "-t", "y", "--predictions", "p.txt"], "csv or parquet"),
        (["small.csv", "-t", "y", "--predictions", "no/p.csv"], "make 'no' first"),
        (["small.csv", "-t", "y", "--min-class", "30"], "smaller --min-class"),
        (["small.csv", "-t", "y", "--bounds", "0"], "two numbers in increasing order"),
        (["small.csv", "-t", "y", "--bounds", "0,9"], "needs a target of numbers"),
        (["small.csv", "-t", "y", "--bins", "5", "--bounds", "3,9"], "hold all"),
        (["small.csv", "-t", "y", "--sample", "3"], "Invalid value for '--sample'"),
        (["small.csv", "-t", "y", "--run-dir", "small.csv"], "folder you may write to"),
    ],
)
def test_wrong_usage_or_data_is_a_sentence_and_code_2(words, says):
    result = call("compare", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_table_over_memory_is_a_sentence_with_the_sample_to_take(monkeypatch):
    from offby.tables import _memory

    monkeypatch.setattr(_memory, "available", lambda: 10_000)
    result = call("compare", "small.csv", "-t", "y")
    assert result.exit_code == 2
    assert "and 10 kB are free; take some at random with --sample" in result.stderr
    assert result.stdout == ""


def test_the_losses_shown_as_the_default_are_those_of_compare():
    from offby.comparison.run import DEFAULT_LOSSES

    (losses,) = [p for p in main.commands["compare"].params if p.name == "losses"]
    assert f"[default: {','.join(DEFAULT_LOSSES)}; " in (losses.help or "")


def test_a_failed_run_is_a_sentence_and_code_1(monkeypatch):
    def fail(*args, **settings):
        raise RuntimeError("the training must stay finite")

    monkeypatch.setattr(offby, "compare", fail)
    result = call("compare", "small.csv", "-t", "y")
    assert result.exit_code == 1
    assert "Error: the training must stay finite" in result.stderr


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def stop(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(offby, "compare", stop)
    alone = call("compare", "small.csv", "-t", "y")
    assert "--run-dir DIR" in alone.stderr
    kept = call("compare", "small.csv", "-t", "y", "--run-dir", "runs")
    assert kept.exit_code == 130
    assert "kept in runs; the same command continues from them" in kept.stderr


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    distributed = pytest.importorskip("distributed")

    def silent(address, timeout):
        raise OSError(f"nobody at {address}")

    monkeypatch.setattr(distributed, "Client", silent)
    result = call("compare", "small.csv", "-t", "y", "--dask", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "a scheduler that answers" in result.stderr


@pytest.mark.slow
def test_columns_with_a_role_are_not_learned_from(tmp_path):
    rows = [f"{i % 7},{i // 3},{1 + i % 2},{1 + i % 3}" for i in range(90)]
    (tmp_path / "all.csv").write_text("\n".join(["a,g,w,y", *rows]) + "\n")
    words = ("all.csv", "-t", "y", *QUICK, "--groups", "g", "--weights", "w")
    words = (*words, "--models", "network")
    result = call("compare", *words, "--run-dir", "runs", "--metric", "qwk", "-j", "1")
    assert result.exit_code == 0, result.output
    first = json.loads((tmp_path / "all-y.json").read_text())
    assert first["data"]["n_features"] == 1
    assert first["run"]["split"] == "by groups, 30 of them"
    assert first["metrics"][0]["key"] == "qwk"
    assert "Column g was used to split the rows" in result.stderr
    assert "Column w was used to weigh the rows" in result.stderr
    again = call("compare", *words, "--run-dir", "runs", "--metric", "qwk", "-j", "1")
    assert "10 fits were there already" in again.stderr
    second = json.loads((tmp_path / "all-y.json").read_text())
    assert second["scores"] == first["scores"]


def test_ctrl_c_is_code_130_and_leaves_no_file(monkeypatch, tmp_path):
    def stop(*args, **settings):
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(offby, "compare", stop)
    assert call("compare", "small.csv", "-t", "y").exit_code == 130
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_comparison_prints_scores_and_writes_report_and_data(tmp_path):
    before = {path.name for path in tmp_path.iterdir()}
    result = call("compare", "small.csv", "-t", "y", *QUICK)
    assert result.exit_code == 0, result.output
    for part in (
        "emd2",
        "↓",
        "↑",
        "\u203a",
        "Report   small-y.html",
        "Explain  small-y-explain.html",
    ):
        assert part in result.stdout
    after = {path.name for path in tmp_path.iterdir()}
    assert after - before == {
        "small-y.html",
        "small-y.json",
        "small-y-explain.html",
    }
    report = (tmp_path / "small-y.html").read_text(encoding="utf-8")
    assert report.count('href="small-y-explain.html#stop=0') == report.count(
        "Move this prediction by hand"
    )
    data = json.loads((tmp_path / "small-y.json").read_text())
    assert data["data"]["target"] == "y"


@pytest.mark.parametrize(("bins", "drawn"), [(12, True), (301, False)])
def test_rows_link_to_a_page_beside_only_if_it_can_be_drawn(
    monkeypatch, tmp_path, bins, drawn
):
    made = comparison("number", bins)
    made = replace(made, pushes=(), scores=(), reliability=(), noise=())
    monkeypatch.setattr(offby, "compare", lambda *args, **settings: made)
    result = call("compare", "small.csv", "-t", "y", "-o", "r.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert (tmp_path / "r-explain.html").exists() == drawn
    assert ("Explain  r-explain.html" in result.stdout) == drawn
    assert page.count('href="r-explain.html#') == 3 * drawn


def test_a_page_that_cannot_be_written_is_refused_before_the_work(
    monkeypatch, tmp_path
):
    (tmp_path / "r-explain.html").mkdir()
    monkeypatch.setattr(offby, "compare", lambda *a, **b: pytest.fail("ran"))
    result = call("compare", "small.csv", "-t", "y", "-o", "r.html")
    assert result.exit_code == 2
    assert "got the folder 'r-explain.html'" in result.output


def bare(made):
    """The comparison without what takes long to draw."""
    return replace(made, pushes=(), scores=(), reliability=(), noise=(), differences=())


def test_a_section_that_fails_loses_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(offby, "compare", lambda *a, **b: bare(comparison()))

    def fail(look, row):
        raise IndexError("tuple index out of range")

    rows = sys.modules["offby.report.sections.rows"]
    monkeypatch.setattr(rows, "_picture", fail)
    result = call("compare", "small.csv", "-t", "y")
    assert result.exit_code == 0, result.output
    assert "! The section “" in result.stderr
    assert "could not be drawn (IndexError: tuple index out of range)" in result.stderr
    assert "RPS" in result.stdout
    assert (tmp_path / "small-y.json").exists()
    page = (tmp_path / "small-y.html").read_text(encoding="utf-8")
    assert "This section could not be drawn" in page


def test_the_numbers_are_kept_if_a_page_fails(monkeypatch, tmp_path):
    made = replace(comparison("number", 12), noise=())
    monkeypatch.setattr(offby, "compare", lambda *args, **settings: made)

    def fail(*args, **settings):
        raise RuntimeError("no picture")

    monkeypatch.setattr(offby.report, "render", fail)
    result = call("compare", "small.csv", "-t", "y", "-o", "r.html")
    assert result.exit_code == 1
    assert "the report could not be written: no picture" in result.stderr
    assert "RPS" in result.stdout
    assert json.loads((tmp_path / "r.json").read_text())["data"]["kind"] == "number"


@pytest.mark.slow
def test_quiet_prints_nothing(tmp_path):
    words = ("small.csv", "-t", "y", *QUICK, "--models", "network", "-q")
    result = call("compare", *words)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert (tmp_path / "small-y.html").exists()


@pytest.mark.slow
def test_json_on_stdout_is_alone_there():
    words = ("small.csv", "-t", "y", *QUICK, "--models", "network", "--json", "-")
    result = call("compare", *words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["data"]["n_rows"] == 60
    assert "small-y.html" in result.stderr


def test_losses_lists_every_name():
    from offby.losses.registry import TABLE

    result = call("losses")
    assert result.exit_code == 0
    assert all(entry.name in result.stdout for entry in TABLE)


@pytest.mark.parametrize(
    "words",
    [
        ["small.csv", "-t", "y", "--quick", "--full"],
        ["small.csv", "-t", "y", "-o", "x.pdf"],
        ["small.csv", "-t", "y", "-o", "no/r.html"],
        ["small.csv", "-t", "y", "--json", "small.csv"],
        ["small.csv", "-t", "y", "--predictions", "p.txt"],
        ["small.csv", "-t", "y", "--losses", ","],
        ["small.csv", "-t", "y", "--unseen-groups"],
    ],
)
def test_wrong_use_is_refused_before_anything_heavy_is_imported(words):
    code = (
        "import sys\nfrom offby.cli import main\n"
        f"try:\n    main(['compare', *{words}])\n"
        "except SystemExit as end:\n    assert end.code == 2, end.code\n"
        "heavy = {'torch', 'sklearn', 'polars', 'altair', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_wrong_loss_is_refused_before_the_table_is_read(monkeypatch):
    from offby import tables

    monkeypatch.setattr(tables, "scan", lambda data: pytest.fail("read the table"))
    result = call("compare", "small.csv", "-t", "y", "--losses", "mse")
    assert result.exit_code == 2
    assert "small.csv" not in result.output


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("houses.csv", "houses"),
        ("in/wine.v2.csv.gz", "wine"),
        ("wine-red", "wine-red"),
        ("https://example.org/a%20b.csv?x=1", "a b"),
        ("-", "stdin"),
        (".hidden.csv", "hidden.csv"),
    ],
)
def test_a_report_is_named_after_its_data_and_target(data, name):
    from offby.cli.files import outputs_of, plain, stem

    assert stem(data) == name
    found = outputs_of(data, "price/m²", None, None)
    assert found.report.name == f"{plain(name)}-price_m².html"
    assert found.json == found.report.with_suffix(".json")


def test_files_of_other_data_are_kept_with_a_word(monkeypatch, tmp_path):
    first = replace(bare(comparison("number", 12)))
    other = replace(first, data=replace(first.data, sha256="0123" * 16))
    made = iter([first, first, other, other, other])
    monkeypatch.setattr(offby, "compare", lambda *args, **settings: next(made))

    def run(*words):
        result = call("compare", "small.csv", "-t", "y", *words)
        assert result.exit_code == 0, result.output
        return result.output

    run()
    names = ("small-y.html", "small-y.json", "small-y-explain.html")
    kept = {name: (tmp_path / name).read_bytes() for name in names}
    assert "were kept" not in run()  # The same data: the same files.
    assert "were kept" in run()
    assert {name: (tmp_path / name).read_bytes() for name in names} == kept
    page = (tmp_path / "small-y-2.html").read_text(encoding="utf-8")
    assert 'href="small-y-2-explain.html#' in page
    assert json.loads((tmp_path / "small-y-2.json").read_text())["data"]["sha256"] == (
        "0123" * 16
    )
    run()
    assert not (tmp_path / "small-y-3.html").exists()
    run("--overwrite")
    assert (tmp_path / "small-y.html").read_bytes() != kept["small-y.html"]


def test_a_file_that_is_not_ours_is_not_replaced(monkeypatch, tmp_path):
    (tmp_path / "small-y.html").write_text("<p>mine</p>")
    result = call("compare", "small.csv", "-t", "y")
    assert result.exit_code == 2
    assert "'small-y.html' exists and was not written by offby compare" in result.output
    monkeypatch.setattr(offby, "compare", lambda *a, **b: bare(comparison()))
    result = call("compare", "small.csv", "-t", "y", "--overwrite")
    assert result.exit_code == 0, result.output
    assert "mine" not in (tmp_path / "small-y.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("seeds", "seconds", "says"),
    [(9, 1200, "--seeds 9 should settle"), (900, 4000 * 2, None)],
)
def test_nobody_is_told_to_wait_for_more_than_an_hour(
    monkeypatch, seeds, seconds, says
):
    from offby.cli.terminal import next_step
    from offby.results import Comparison

    monkeypatch.setattr(Comparison, "settling", lambda self: (seeds, seconds))
    text = next_step(comparison(), jobs=2, run_dir=None)
    if says is None:
        assert text is None
    else:
        assert text is not None
        assert says in text
        assert "10 min" in text


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom offby.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn', 'polars')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
