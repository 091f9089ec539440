# One word each for what this project does; every one sets up what it needs first.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# An older wheel rather than a newer source that may need a compiler of another language (hypothesis needs Rust's).
export PIP_PREFER_BINARY = 1

# Which Python this is. A stamp that bears its name cannot be mistaken for another Python's.
which := $(shell $(PYTHON) .ci/make_venv.py --identity 2>/dev/null)
python := $(VENV)/bin/python
made := $(VENV)/.made-for-$(which)
# Everything that the built package depends on.
sources := $(shell find src ext -type f \( -name '*.py' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' \
	-o -name py.typed \) 2>/dev/null)

.PHONY: help bench test test-all check lint dist wheels clean
.DELETE_ON_ERROR:
# Two pips at once in one environment would hurt each other.
.NOTPARALLEL:

help:
	@echo 'make bench   show what the GIL costs on this machine      ARGS="--quick" and other words of gilfree bench'
	@echo 'make test    run the tests                                ARGS="-k primes" and other words of pytest'
	@echo 'make test-all  all cases of the tests: `make test` runs those that cover every pair of values'
	@echo 'make check   lint, types, packaging'
	@echo 'make wheels  build and test wheels as a release does      ARGS="--only cp313-manylinux_x86_64"'
	@echo 'make clean   remove all that these made'
	@echo 'PYTHON=python3.13 chooses the Python, VENV=folder where its environment is (.venv)'

bench: $(VENV)/.extras $(VENV)/.package
	@$(VENV)/bin/gilfree bench $(ARGS)

test: $(VENV)/.extras $(VENV)/.tests $(VENV)/.package
	@$(python) .ci/test.py $(ARGS)

test-all: $(VENV)/.extras $(VENV)/.tests $(VENV)/.package
	@$(python) .ci/test.py --full $(ARGS)

check: lint dist

# mypy reads the types of pytest, matplotlib and others where they are installed.
lint: $(VENV)/.extras $(VENV)/.tests $(VENV)/.lint
	@echo '== ruff, cython-lint, codespell'
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check --diff .
	@PATH="$(VENV)/bin:$$PATH" cython-lint ext  # it looks for pycodestyle there
	@$(VENV)/bin/codespell
	@echo '== mypy'
	@$(python) -m mypy
	@echo '== validate-pyproject, repo-review'
	@$(VENV)/bin/validate-pyproject pyproject.toml
	@$(VENV)/bin/repo-review .

dist: $(VENV)/.lint
	@echo '== source distribution, and a wheel made from it'
	@$(python) .ci/check_dist.py

wheels: $(made)
	@command -v docker >/dev/null || command -v podman >/dev/null || test "$$(uname)" != Linux || \
		{ echo 'Linux wheels are built in containers, and neither docker nor podman is here: apt install podman' >&2; exit 1; }
	@$(python) -m pip install -q --group wheels
	@echo '== wheels, from the source distribution: nothing else of this folder gets into the containers'
	@rm -rf dist && $(python) -m build -q --sdist --outdir dist
	@command -v docker >/dev/null || export CIBW_CONTAINER_ENGINE=podman; \
		$(VENV)/bin/cibuildwheel --output-dir wheelhouse $(ARGS) dist/gilfree-*.tar.gz

clean:
	rm -rf $(if $(wildcard $(VENV)/pyvenv.cfg),$(VENV)) build dist wheelhouse src/*.egg-info \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks ext .ci -name __pycache__ -prune -exec rm -rf {} +

$(made):
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) is not here; to install: apt install python3 python3-venv python3-dev' >&2; exit 1; }
	@$(PYTHON) .ci/make_venv.py $(VENV)
	@touch $@

# Before the package, so that pip settles on a NumPy that Numba accepts.
$(VENV)/.extras: $(made) pyproject.toml
	@echo '== what the benchmark uses: numba, rich, matplotlib ...'
	@$(python) .ci/add_optional.py numba bench
	@touch $@

# setuptools reuses build/ and would pack modules that are no longer there: remove it when the list of modules may have
# changed, and else all of it but the compiled ones, which know what they depend on. Built without isolation: a Cython
# that is installed anew for every build looks newer than all it ever made, and everything would be compiled again.
$(VENV)/.package: $(made) setup.py pyproject.toml $(sources)
	@echo '== gilfree, compiled from source (about a minute the first time)'
	@$(if $(filter-out src/% ext/%,$?),rm -rf build,find build -path 'build/lib*' -type f ! -name '*.so' -delete)
	@$(python) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
		$(python) -m pip install -q -r /dev/stdin
	@$(python) -m pip install -q --no-build-isolation .
	@touch $@

$(VENV)/.tests: $(made) pyproject.toml
	@echo '== what the tests use: pytest, hypothesis, other plugins of pytest, and libraries to compare with'
	@$(python) -m pip install -q --group test
	@$(python) .ci/add_optional.py oracles plugins
	@touch $@

$(VENV)/.lint: $(made) pyproject.toml
	@echo '== what lints'
	@$(python) -m pip install -q --group lint
	@touch $@
