.PHONY: demo test test-oldest torch-suite laws mutants jupyter lint docs wheel bench reports evidence evidence-list evidence-pages page clean

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

# The oldest versions that pyproject.toml allows. uv finds them; PyTorch is large.
# The tests of each part of offby, without those that ask other libraries for the truth:
# one of these would bring newer versions. Old transforms of PyTorch refuse grounds that are
# made inside them, as the tests of second derivatives do.
OLDEST = tests/test_losses.py tests/test_gradients.py tests/test_kernels.py \
	tests/test_nn.py tests/test_grounds.py tests/test_metrics.py tests/test_distribution.py \
	tests/test_estimator_losses.py tests/test_compare_input.py tests/test_doctor.py \
	tests/test_tables.py
test-oldest:
	python3 -m venv build/oldest
	build/oldest/bin/python -m pip install -q uv
	build/oldest/bin/uv pip install --python build/oldest --resolution lowest-direct \
		-e ".[compare,boosting,ot]"
	build/oldest/bin/python -m pip install -q pytest hypothesis expecttest scoringrules
	build/oldest/bin/python -I tests/smoke.py
	build/oldest/bin/python -m pytest -q -W default $(OLDEST) \
		-k "not model_diagnostics and not second_derivatives"

# Nightly: PyTorch's own cases, and every criterion compiled, exported, transformed.
torch-suite: .venv/stamp
	.venv/bin/python -m pytest tests/test_nn_torch.py tests/torch_suite.py

# Nightly: each law of Hypothesis with 200 new examples; CI takes the same 15 each time.
laws: .venv/stamp
	.venv/bin/python -m pytest -m hypothesis --hypothesis-profile nightly tests

# The explainer as a widget, in JupyterLab and Chromium. JupyterLab is 200 MB: it lies in
# a folder of its own, beside the lock.
jupyter: .venv/stamp build/jupyter/stamp
	PYTHONPATH=$(CURDIR)/build/jupyter JUPYTERLAB_DIR=$(CURDIR)/build/jupyter/share/jupyter/lab \
	JUPYTER_PATH=$(CURDIR)/build/jupyter/share/jupyter:$(CURDIR)/.venv/share/jupyter \
		.venv/bin/python -m pytest tests/integrations/test_widget_in_jupyterlab.py

build/jupyter/stamp: requirements.lock
	rm -rf build/jupyter
	.venv/bin/python -m pip install -q --target build/jupyter -c requirements.lock \
		"jupyterlab>=4.4" "ipykernel>=6.29"
	touch $@

# Single changes of the source that no test notices; a sample takes about an hour.
mutants: .venv/stamp
	.venv/bin/python tests/mutants.py

lint: .venv/stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright

# The site, strict: a link that leads nowhere ends it. It lies in build/site.
docs: .venv/stamp build/docs-env/stamp
	.venv/bin/python website/build.py
	NO_MKDOCS_2_WARNING=1 build/docs-env/bin/mkdocs build --strict -q -f build/mkdocs.yml
	@echo "The site lies in $(CURDIR)/build/site; open index.html, no server is needed."

build/docs-env/stamp: website/requirements.txt
	python3 -m venv build/docs-env
	build/docs-env/bin/python -m pip install -q -r website/requirements.txt
	touch $@

# What a release publishes for this machine, in dist/, tried in a bare environment.
wheel: .venv/stamp
	.venv/bin/python benchmarks/package.py --constraints requirements.lock

# Seconds beside F.cross_entropy, and memory; the rivals come with the extra "bench".
bench: .venv/stamp
	.venv/bin/python benchmarks/cpu.py --out benchmarks/results/cpu.json

# DATA=FOLDER takes the tables from elsewhere, CASES="wine-red abalone" makes these only.
reports: .venv/stamp
	.venv/bin/python benchmarks/reports.py $(if $(DATA),--data $(DATA)) $(CASES)

# All measurements of docs/, hours on one core; docs/evidence.md lists them. What is
# there is not measured again, so it may be stopped and continued. DATA=FOLDER holds the
# tables, PARTS="atlas why" makes these only; rivals come with the extra "rivals".
evidence: .venv/stamp
	@test -n "$(DATA)" || { echo "make evidence needs DATA=FOLDER with the tables"; exit 2; }
	.venv/bin/python benchmarks/evidence.py $(DATA) $(PARTS)

evidence-list: .venv/stamp
	@.venv/bin/python benchmarks/evidence.py --list

# The tables of all pages, of what is measured already.
evidence-pages: .venv/stamp
	.venv/bin/python benchmarks/evidence.py pages

# Needed after a change in web/ only: the built page is committed.
page:
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	npm run build --prefix web

clean:
	rm -f src/offby/kernels/cpp/*.so
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis demo-report*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
