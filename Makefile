# One word each for what this project does; every one sets up what it needs first.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# An older wheel rather than a newer source that may need a compiler of another language (hypothesis needs Rust's).
export PIP_PREFER_BINARY = 1
# The instruction sets that kernels are compiled for: the one this machine runs best, which takes a third of the time.
# GILFREE_BUILD_ISAS=all makes what a wheel has, and the tests then try each.
export GILFREE_BUILD_ISAS ?= native

# Which Python this is. A stamp that bears its name cannot be mistaken for another Python's.
which := $(shell $(PYTHON) .ci/make_venv.py --identity 2>/dev/null)
python := $(VENV)/bin/python
made := $(VENV)/.made-for-$(which)
# Everything that the built package depends on.
sources := $(shell find src ext -type f \( -name '*.py' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' \
	-o -name py.typed \) 2>/dev/null)

.PHONY: help bench test test-all check lint dist wheels package clean
.DELETE_ON_ERROR:
# Compiling leaves a CPU free at times, and pip needs one at times: both at once. Never two pips that install, which would
# hurt each other: each of those waits for the one before it.
MAKEFLAGS += -j2

# timed NAME,COMMAND: says what is begun, and how long it took.
comma := ,
define timed
echo '== $(1)'; begun=$$(date +%s); $(2) && echo "== $$(($$(date +%s) - begun)) s: $(1)"
endef

help:
	@echo 'make bench   show what the GIL costs on this machine      ARGS="--quick" and other words of gilfree bench'
	@echo 'make test    run the tests                                ARGS="-k primes" and other words of pytest'
	@echo 'make test-all  all cases: `make test` runs those that cover every pair of values'
	@echo 'make check   lint, types, packaging'
	@echo 'make wheels  build and test wheels as a release does      ARGS="--only cp313-manylinux_x86_64"'
	@echo 'make clean   remove all that these made'
	@echo 'PYTHON=python3.13 chooses the Python, VENV=folder where its environment is (.venv)'

bench: package
	@$(VENV)/bin/gilfree bench $(ARGS)

test: $(VENV)/.tests package
	@$(python) .ci/test.py $(ARGS)

test-all: $(VENV)/.tests package
	@$(python) .ci/test.py --full $(ARGS)

check: lint dist

# mypy reads the types of pytest, matplotlib and others where they are installed.
lint: $(VENV)/.lint
	@echo '== ruff, cython-lint, codespell'
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check --diff .
	@PATH="$(VENV)/bin:$$PATH" cython-lint ext  # it looks for pycodestyle there
	@$(VENV)/bin/codespell
	@$(python) .ci/mutants.py --list >/dev/null  # each fault is still in its place
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

# Without isolation: it would make pip fetch these for every build.
$(VENV)/.build-requirements: $(made) pyproject.toml
	@$(python) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
		$(python) -m pip install -q -r /dev/stdin
	@touch $@

$(VENV)/.extras: $(VENV)/.build-requirements
	@$(call timed,what the benchmark uses: numba$(comma) rich$(comma) matplotlib ...,$(python) .ci/add_optional.py numba bench)
	@touch $@

# setup.py keeps in build/ what it has compiled and compiles only what has changed; setuptools also reuses build/lib*, and
# would pack modules that are no longer there.
wheel := $(VENV)/.wheel-$(GILFREE_BUILD_ISAS)
$(wheel): $(VENV)/.build-requirements setup.py $(sources)
	@rm -rf build/lib* build/bdist* $(VENV)/.wheel-* $(VENV)/wheel
	@$(call timed,gilfree$(comma) compiled from source for $(GILFREE_BUILD_ISAS) instruction sets,\
		$(python) -m pip wheel -q --no-deps --no-build-isolation -w $(VENV)/wheel .)
	@touch $@

# After the extras, so that pip settles on a NumPy that Numba accepts.
$(VENV)/.package: $(wheel) $(VENV)/.extras
	@$(python) -m pip uninstall -q -y gilfree 2>/dev/null
	@$(python) -m pip install -q $(VENV)/wheel/gilfree-*.whl
	@touch $@

package: $(VENV)/.package

$(VENV)/.tests: $(VENV)/.extras
	@echo '== what the tests use: pytest, hypothesis, other plugins of pytest, and libraries to compare with'
	@$(python) -m pip install -q --group test
	@$(python) .ci/add_optional.py oracles plugins
	@touch $@

$(VENV)/.lint: $(VENV)/.tests
	@echo '== what lints'
	@$(python) -m pip install -q --group lint
	@touch $@
