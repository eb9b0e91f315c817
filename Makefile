# The two commands most people need: `make run` and `make test`. `make help` lists the rest.

PYTHON_ENV := .venv/bin/python
OFFSCREEN := QT_QPA_PLATFORM=offscreen
PYTEST := $(OFFSCREEN) $(PYTHON_ENV) -m pytest
# real scans for `make test-real`; the tests say so and skip where they are missing
export CT_LABELER_DATA ?= $(abspath ../shared/data)

PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile \
	--quiet --allow-unsafe --strip-extras --no-emit-options

.DEFAULT_GOAL := help
.PHONY: help env kernels run test test-slow test-real coverage bench lint docs-screenshots lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

env: ## make .venv from the lock (nothing to do when it is up to date)
	@scripts/env

# numba compiles on first use and keeps the result beside the code. Done here, no test and no first
# start waits for it, and two test processes do not compile the same.
kernels: env ## compile what numba compiles (under a second when nothing changed)
	@find labeler -name '*.nbi' | grep -q . || echo "Compiling the kernels (once, about 20 s)"
	@$(PYTHON_ENV) -c "from labeler.core.warm_up import warm_up; warm_up()"
	@$(PYTHON_ENV) -c "from labeler.core.warm_up_tools import warm_up_tools; warm_up_tools()"

run: kernels ## open the window on example cases; without a display, draw it to out/
	@scripts/run

test: kernels ## everything that must hold before a commit, in minutes
	@scripts/system-libs qt
	@scripts/system-libs --optional rendering
	$(PYTEST) --numprocesses 2 -m "not slow and not real"

test-slow: kernels ## what takes longer: real windows under X, long runs, nnU-Net beside ours
	-@scripts/env .venv-nnunet requirements-nnunet.lock
	@scripts/system-libs qt rendering window virtual-screen
	$(PYTEST) -m slow

test-real: kernels ## on real scans, from CT_LABELER_DATA
	@scripts/system-libs qt rendering
	$(PYTEST) -m real -rs

# In an environment of its own: numba loads the coverage package wherever it finds it, which costs
# every start of the program 70 ms.
coverage: ## which lines the tests of `make test` reach; pages in out/coverage/
	@scripts/env .venv-coverage requirements.lock
	@scripts/system-libs qt
	@.venv-coverage/bin/python -m pip install --quiet pytest-cov
	$(OFFSCREEN) .venv-coverage/bin/python -m pytest --numprocesses 2 -m "not slow and not real" \
		--cov --cov-report term --cov-report html:out/coverage

bench: ## the figures, each against its baseline; table here, JSON in out/
	@scripts/env .venv-bench requirements-bench.lock
	@scripts/system-libs qt rendering
	$(OFFSCREEN) .venv-bench/bin/python -m benchmarks

lint: env ## ruff, mypy, import rules
	$(PYTHON_ENV) -m ruff check .
	$(PYTHON_ENV) -m mypy
	.venv/bin/lint-imports --no-cache

docs-screenshots: kernels ## draw the pictures of the documentation from the real window
	@scripts/system-libs qt
	@scripts/docs-screenshots

# In an environment of its own: pip-tools must not pin itself.
lock: ## resolve the three locks anew from pyproject.toml (on the oldest Python supported)
	rm -rf build/lock
	python3.11 -m venv build/lock
	build/lock/bin/python -m pip install --quiet pip-tools
	$(PIP_COMPILE) --upgrade --extra test --extra models --output-file requirements.lock \
		pyproject.toml
	$(PIP_COMPILE) --upgrade --extra bench --extra models --constraint requirements.lock \
		--output-file requirements-bench.lock pyproject.toml
	$(PIP_COMPILE) --upgrade --constraint requirements.lock \
		--output-file requirements-nnunet.lock requirements-nnunet.in
	@# a local build (+cpu) is for this machine only: the lock names the release
	sed -i 's/^torch==\([0-9.]*\)+.*/torch==\1/' requirements*.lock

clean: ## remove what was made here, but neither environments nor out/
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +
