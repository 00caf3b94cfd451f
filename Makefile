.PHONY: demo test lint page clean

# The lock holds the build backend too: nothing is fetched beside what it names.
.venv/stamp: requirements.lock pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install -r requirements.lock
	.venv/bin/python -m pip install --no-deps --no-build-isolation -e .
	touch $@

demo: .venv/stamp
	.venv/bin/offby compare wine-red --target quality --out demo-report.html
	@echo "The report lies in $(CURDIR)/demo-report.html"

test: .venv/stamp
	.venv/bin/python -m pytest

lint: .venv/stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright

# Needed after a change in web/ only: the built page is committed.
page:
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	npm run build --prefix web

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis demo-report.html demo-report.json
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
