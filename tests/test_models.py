"""Model files: trained by a command, described, applied to new rows, scored."""

import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import offby
from offby import models
from offby.cli import main
from offby.results import said

pl = pytest.importorskip("polars")
pytest.importorskip("rich")

WORDS = ["low", "mid", "high"]
GRADE = ("fit", "houses.csv", "-t", "grade", "--order", "low,mid,high")
SMALL = {"max_iter": 4, "n_bags": 1, "n_members": 2, "hidden_layer_sizes": (16,)}


def call(*words, stdin=None):
    return CliRunner().invoke(main, [*words], catch_exceptions=False, input=stdin)


def table(n=120):
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 9, n).round(3)
    color = rng.choice(["red", "green", "blue"], n)
    day = np.array("2024-01-01", "datetime64[D]") + rng.integers(0, 900, n)
    price = (10 * size + 20 * (color == "red") + rng.normal(0, 3, n)).round(2)
    return pl.DataFrame(
        {
            "id": [f"{i:05}" for i in range(n)],
            "size": size,
            "color": color,
            "day": day.astype(str),
            "zip": rng.choice(["01000", "02000"], n),
            "price": price,
            "grade": [WORDS[k] for k in np.digitize(price, [50, 75])],
        }
    )


@pytest.fixture(scope="module", autouse=True)
def _small():
    """Small networks: what they forecast is not what these tests are about."""
    found = models.ModelKind.estimator
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            models.ModelKind,
            "estimator",
            lambda self, kind: partial(found(self, kind), **SMALL),
        )
        yield


@pytest.fixture(scope="module")
def room(tmp_path_factory, _small):
    """A folder with a table and a model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    table().write_csv(folder / "houses.csv")
    data, price, grade = (
        str(folder / n) for n in ("houses.csv", "price.offby", "grade.offby")
    )
    text = ("--text", "zip")
    made = call("fit", data, "-t", "price", "--drop", "grade", *text, "-o", price)
    assert made.exit_code == 0, made.output
    assert "held out at random" in made.output
    assert "offby predict" in made.output
    order = ("--order", "low,mid,high", "--no-scores", *text, "--drop", "price")
    made = call("fit", data, "-t", "grade", *order, "-o", grade)
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture(autouse=True)
def _inside(room, monkeypatch):
    monkeypatch.chdir(room)


def predicted(*words):
    made = call("predict", *words, "--out", "out.parquet")
    assert made.exit_code == 0, made.output
    return pl.read_parquet("out.parquet"), made.output


def test_numbers_have_means_intervals_and_chances():
    found, _ = predicted(
        *("price.offby", "houses.csv", "--id", "id", "--quantiles", "0.1,0.5"),
        *("--interval", "0.8", "--above", "60", "--decide", "mape"),
    )
    assert found.columns == [
        *("id", "best_mape", "mean", "median", "quantile_0.1", "quantile_0.5"),
        *("low_80", "high_80", "above_60"),
    ]
    assert found["id"].to_list() == table()["id"].to_list()  # texts, as they stood
    assert found["median"].equals(found["quantile_0.5"], check_names=False)
    np.testing.assert_allclose(found["low_80"], found["quantile_0.1"])
    assert (found["best_mape"] < found["median"]).all()
    above = found["above_60"].to_numpy()
    assert ((found["median"].to_numpy() > 60) == (above > 0.5)).all()


def test_classes_have_a_median_and_probabilities():
    found, _ = predicted("grade.offby", "houses.csv", "--above", "low")
    assert found.columns == ["median", "p_low", "p_mid", "p_high", "above_low"]
    np.testing.assert_allclose(found.select("^p_.*$").sum_horizontal(), 1)
    np.testing.assert_allclose(found["above_low"], found["p_mid"] + found["p_high"])


def test_python_reads_the_same_model():
    model = offby.load("price.offby")
    X = table().drop("id", "price", "grade")
    X = X.with_columns(pl.col("day").str.to_datetime("%Y-%m-%d", time_unit="us"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zip holds numbers as text
        found = model.predict_dist(X)
    by_command, _ = predicted("price.offby", "houses.csv")
    np.testing.assert_array_equal(found.median(), by_command["median"])


def test_forecasts_go_to_stdout_and_tables_come_from_stdin():
    text = table().head(3).drop("price", "grade").write_csv()
    made = call("predict", "price.offby", "-", "-q", stdin=text)
    assert made.exit_code == 0, made.output
    lines = made.stdout.splitlines()
    assert lines[0] == "mean,median,low_90,high_90"
    assert len(lines) == 4


def test_a_row_alone_is_forecast_as_among_others():
    table().tail(1).write_csv("one.csv")
    one, _ = predicted("price.offby", "one.csv")
    all_rows, _ = predicted("price.offby", "houses.csv")
    np.testing.assert_allclose(one.to_numpy(), all_rows.tail(1).to_numpy())


def test_what_is_odd_in_new_rows_is_said():
    frame = table().with_columns(
        color=pl.when(pl.col("size") > 7).then(pl.lit("pink")).otherwise("color"),
        size=pl.col("size") * 10,
        day=pl.lit(None),
        wind=pl.lit(3),
    )
    frame.write_csv("odd.csv")
    _, said = predicted("price.offby", "odd.csv")
    n_pink = int((frame["color"] == "pink").sum())
    assert f"holds 1 value in {n_pink} rows that did not occur in training" in said
    assert "'pink'" in said
    assert "lies outside of the numbers seen in training (1" in said
    assert "Column day has no values in these rows." in said
    assert "Column wind was not in the training table" in said
    assert "grade" not in said
    assert "id" not in said.split()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop("color", "size"), "got none for 'size', 'color'"),
        (lambda f: f.rename({"size": "Size"}), "'Size' seems to be 'size': rename it"),
        (
            lambda f: f.with_columns(size=pl.lit("big")),
            "column 'size' must hold numbers, as in training, got text such as 'big'",
        ),
        (
            lambda f: f.with_columns(day=pl.lit(5)),
            "column 'day' must hold dates, as in training, got numbers such as '5'",
        ),
        (
            lambda f: f.with_columns(size=pl.lit("2024-01-01")),
            "must hold numbers, as in training, got dates or times such as",
        ),
        (
            lambda f: f.with_columns(
                size=pl.when(pl.col("size") > 8.9)
                .then(pl.lit("big"))
                .otherwise(pl.col("size").cast(str))
            ),
            "give --missing 'big' where it means that a value is missing\n",
        ),
    ],
)
def test_a_column_of_another_kind_is_named(change, says):
    change(table()).write_csv("changed.csv")
    made = call("predict", "price.offby", "changed.csv")
    assert made.exit_code == 2
    assert says in made.output
    assert "--drop" not in made.output  # which predict does not have


def test_parquet_has_the_types_of_its_columns(tmp_path):
    frame = table().with_columns(
        pl.col("day").str.to_date(), pl.col("zip").cast(pl.Int64), size=pl.lit(5)
    )
    frame.write_parquet("new.parquet")
    found, said = predicted("price.offby", "new.parquet")
    assert len(found) == 120
    assert "Column zip holds 2 different values in 120 rows" in said  # 1000, not 01000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["predict", "gone.offby", "houses.csv"], "which is none; train one with"),
        (["predict", "houses.csv", "houses.csv"], "whole file that save wrote"),
        (["describe", "gone.offby"], "which is none"),
        (["predict", "price.offby", "houses.csv", "-o", "p.xls"], "csv or parquet"),
        (["predict", "price.offby", "houses.csv", "-o", "houses.csv"], "another file"),
        (["predict", "price.offby", "houses.csv", "-o", "no/p.csv"], "make 'no' first"),
        (["predict", "price.offby", "houses.csv", "--id", "Id"], "did you mean 'id'"),
        (
            ["predict", "price.offby", "houses.csv", "--above", "much"],
            "must be a number",
        ),
        (["predict", "grade.offby", "houses.csv", "--above", "top"], "low, mid, high"),
        (
            ["predict", "grade.offby", "houses.csv", "--quantiles", "0.5"],
            "needs a model of numbers",
        ),
        (["predict", "price.offby", "houses.csv", "--quantiles", "2"], "between 0 and"),
        (["predict", "price.offby", "houses.csv", "--quantiles", "x"], "between 0 and"),
        (["predict", "price.offby", "houses.csv", "--interval", "1"], "between 0 and"),
        (["predict", "price.offby", "houses.csv", "--decide", "mad"], "one of mae"),
        (["evaluate", "price.offby", "houses.csv", "-t", "color"], "must hold numbers"),
        (["evaluate", "grade.offby", "houses.csv", "-t", "color"], "one of low, mid"),
        (["fit", "houses.csv", "-t", "grade"], "offby fit houses.csv -t grade --order"),
        (["fit", "houses.csv", "-t", "price", "-o", "houses.csv"], "'houses.offby'"),
        (["fit", "houses.csv", "-t", "price", "--loss", "mse"], "did you mean 'emd2'?"),
        (
            [*GRADE, "--transform", "log"],
            "--transform log needs a target of numbers",
        ),
        ([*GRADE, "--bounds", "0,none"], "--bounds 0.0,none needs a target of numbers"),
        (["fit", "houses.csv", "-t", "price", "--bounds", "5,2"], "increasing order"),
        (["fit", "houses.csv", "-t", "price", "--bounds", "0,9"], "hold all numbers"),
        (
            [*GRADE, "--loss", "crps"],
            "needs a target of numbers",
        ),
    ],
)
def test_wrong_usage_is_a_sentence_and_code_2(words, says):
    made = call(*words)
    assert made.exit_code == 2, made.output
    assert says in made.output


def test_a_file_that_is_no_model_is_not_replaced():
    Path("mine.offby").write_text("my notes")
    words = ("fit", "houses.csv", "-t", "price", "-o", "mine.offby")
    made = call(*words)
    assert made.exit_code == 2
    assert "is no model of offby" in made.output
    assert Path("mine.offby").read_text() == "my notes"


@pytest.mark.parametrize(
    ("asked", "ends", "tails"),
    [
        ("-3,200", (-3, 200), "none"),
        ("-3, none", (-3, None), "upper-half-normal"),
        ("none", (None, None), "half-normal"),
        ("auto", (0, None), "upper-half-normal"),
    ],
)
def test_bounds_end_the_bins(asked, ends, tails, tmp_path):
    path = tmp_path / "model.offby"
    start = ("fit", "houses.csv", "-t", "price", "--drop", "id,grade", "--no-scores")
    made = call(*start, "--bounds", asked, "-o", str(path))
    assert made.exit_code == 0, made.output
    bins = offby.load(path).bins_
    assert bins.tails == tails
    for end, edge in zip(ends, bins.edges[[0, -1]].tolist(), strict=True):
        assert end is None or edge == end


def test_describe_says_what_the_model_was_trained_on():
    said = call("describe", "price.offby").output
    for part in (
        "network ensemble, trained with ce+emd2",
        "price: a number",
        "houses.csv, 120 rows",
        "Numbers  size",
        "color (3 values)",
        "Dates    day",
        "Not used id, grade",
        "numpy",
        "CRPS",
        "inside of 90 % intervals",
    ):
        assert part in said
    about = json.loads(call("describe", "price.offby", "--json").output)
    assert about["target"] == "price"
    assert models.About.from_dict(about) == models.describe("price.offby")


def test_evaluate_scores_the_rows_with_a_target():
    frame = table().with_columns(
        grade=pl.when(pl.col("size") > 8)
        .then(None)
        .when(pl.col("size") < 2)
        .then(pl.lit("tiny"))
        .otherwise("grade")
    )
    frame.write_csv("test.csv")
    is_known = np.array([word in WORDS for word in frame["grade"]])
    known = frame.filter(is_known)
    made = call("evaluate", "grade.offby", "test.csv", "--json")
    assert f"! {120 - len(known)} of 120 rows have no target" in made.stderr
    said = json.loads(made.stdout)
    assert said["rows"] == len(known)
    found, _ = predicted("grade.offby", "test.csv")
    probs = found.select("^p_.*$").to_numpy()[is_known]
    y = [WORDS.index(word) for word in known["grade"]]
    rps = offby.metrics.ranked_probability_score(y, probs)
    assert said["scores"]["rps"] == pytest.approx(rps)
    assert said["scores"]["accuracy"] == np.mean(probs.argmax(-1) == y)
    assert "RPS" in call("evaluate", "grade.offby", "test.csv").stdout
    number = json.loads(call("evaluate", "price.offby", "houses.csv", "--json").stdout)[
        "scores"
    ]
    shown = call("evaluate", "price.offby", "houses.csv").stdout
    assert "beside those on 24 rows held out at random" in shown
    assert 0.5 < number["inside_90"] <= 1


def test_a_model_saved_in_python_is_described_and_used():
    X = table().select("size", "color").to_dicts()
    frame = pl.DataFrame(X)
    model = offby.OrdinalClassifier(categories=WORDS, max_iter=2, n_bags=1)
    model.fit(frame, table()["grade"].to_numpy()).save("mine2.offby")
    assert "3 ordered classes low, mid, high" in call("describe", "mine2.offby").output
    found, _ = predicted("mine2.offby", "houses.csv")
    np.testing.assert_array_equal(
        found.select("^p_.*$").to_numpy(), model.predict_dist(frame).probs
    )
    assert "-t COLUMN" in call("evaluate", "mine2.offby", "houses.csv").output
    made = call("evaluate", "mine2.offby", "houses.csv", "-t", "grade")
    assert made.exit_code == 0, made.output


def test_a_model_of_an_array_has_no_columns_to_match():
    offby.BinnedRegressor(max_iter=1, n_bags=1).fit(np.eye(30), np.arange(30)).save(
        "array.offby"
    )
    made = call("predict", "array.offby", "houses.csv")
    assert made.exit_code == 2
    assert "use offby.load" in made.output


def test_times_are_held_out_from_the_end():
    made = call("fit", "houses.csv", "-t", "price", "--time", "day", "-o", "t.offby")
    assert made.exit_code == 0, made.output
    assert "rows in time:" in made.output
    assert models.describe("t.offby").unused == ("id", "day")


@pytest.mark.slow
def test_compare_saves_its_winner_and_says_how_to_use_it():
    words = ("--losses", "ce,emd2", "--folds", "2", "--seeds", "1", "--no-noise")
    made = call(
        *("compare", "houses.csv", "-t", "grade", "--order", "low,mid,high"),
        *("--drop", "id,price", *words, "--save", "best.offby"),
    )
    assert made.exit_code == 0, made.output
    command = "offby predict best.offby NEW.csv --out predictions.csv"
    assert command in made.stdout
    assert command in Path("houses-grade.html").read_text()
    comparison = offby.Comparison.from_json(Path("houses-grade.json").read_text())
    about = models.describe("best.offby")
    best = comparison.method(comparison.best() or "")
    assert (about.model, about.loss) == (best.model, best.loss)
    assert about.scores["rps"] == comparison.mean(best.key, "rps")
    assert said.model(best) in made.stdout.splitlines()[1]
    assert [method.key for method in comparison.methods] == [
        method.key for method in comparison.ranked
    ]
    assert "2 folds, 1 seed" in about.scored_on
    assert f"Training {said.model(best)} on all" in made.output
    predicted("best.offby", "houses.csv")
    board = comparison.leaderboard("polars")
    rps = board["rps"].to_list()
    assert rps == sorted(rps)
    assert set(board["method"]) >= {"ce", "emd2", "boosting"}
    X = table().select("size", "color")
    y = np.array([WORDS.index(word) for word in table()["grade"]])
    model = comparison.fit_best(X, y, model="network")
    assert model.loss == comparison.best_loss("rps")
    assert model.predict(X).tolist()[0] in WORDS
    with pytest.raises(ValueError, match="class codes 0 to 2"):
        comparison.fit_best(X, y + 1)
    with pytest.raises(ValueError, match="metric must be one of rps"):
        comparison.best("crps")
