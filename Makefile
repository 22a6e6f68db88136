# Two commands matter: `make run` and `make test`. Both set everything up first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
COMPILED := .venv/.compiled
# Many tests wait, for a broker or for a session to end: two more of them at once than cores.
AT_ONCE = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 2)')

.PHONY: run test lint bench bench-full docs lock clean

run: $(COMPILED)  ## the whole pipeline on this machine, live
	@exec $(BIN)/plimsoll up

test: $(COMPILED)  ## all tests
	$(BIN)/pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

lint: $(READY)  ## style, imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(COMPILED)  ## fills, side by side with what one would use instead
	$(BIN)/python -m benchmarks.bench --only peers --fills 100000 --accounts 5000 --runs 1

bench-full: $(COMPILED)  ## every benchmark, five runs each, into benchmarks/RESULTS.md: hours
	$(BIN)/python -m benchmarks.bench --fills 1000000 --rows 1000000 --runs 5 \
		--write benchmarks/RESULTS.md

docs: $(READY)  ## generated pages, and the picture of the live view from a real run
	$(BIN)/python -m docs.generate

lock: $(READY)  ## newest versions that pyproject.toml allows, for every platform
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --upgrade \
		--extra embedded --extra dev pyproject.toml --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"plimsoll needs Python 3.11 or later; name one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(COMPILED): $(READY) $(shell find risk streams/processors/warm_up.py -name '*.py')
	@echo "compiling the kernels, once for each state of them: a minute or two"
	@$(BIN)/plimsoll compile
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
