.PHONY: demo test torch-suite mutants lint bench reports page clean

# The lock holds the build backend too: nothing is fetched beside what it names.
# The editable install compiles the kernels too.
.venv/stamp: requirements.lock pyproject.toml hatch_build.py $(wildcard src/offby/kernels/cpp/native/*)
	python3 -m venv .venv
	.venv/bin/python -m pip install -r requirements.lock
	.venv/bin/python -m pip install --no-deps --no-build-isolation -e .
	touch $@

demo: .venv/stamp
	.venv/bin/offby compare wine-red --target quality --out demo-report.html
	@echo "The report lies in $(CURDIR)/demo-report.html"

# A worker for each core: the suite is a thousand seconds of work on one.
test: .venv/stamp
	.venv/bin/python -m pytest -n logical --dist worksteal

# Nightly: PyTorch's own cases, and every criterion compiled, exported, transformed.
torch-suite: .venv/stamp
	.venv/bin/python -m pytest tests/test_nn_torch.py tests/torch_suite.py

# Single changes of the source that no test notices; a sample takes about an hour.
mutants: .venv/stamp
	.venv/bin/python tests/mutants.py

lint: .venv/stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright

# Seconds beside F.cross_entropy, and memory; the rivals come with the extra "bench".
bench: .venv/stamp
	.venv/bin/python benchmarks/cpu.py --out benchmarks/results/cpu.json

# DATA=FOLDER takes the tables from elsewhere, CASES="wine-red abalone" makes these only.
reports: .venv/stamp
	.venv/bin/python benchmarks/reports.py $(if $(DATA),--data $(DATA)) $(CASES)

# Needed after a change in web/ only: the built page is committed.
page:
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	npm run build --prefix web

clean:
	rm -f src/offby/kernels/cpp/*.so
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis demo-report*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
