# Everything is set up in .venv from locked versions; nothing needs activation or root.
#
#   make demo            sets up, then runs the whole chain on the shipped network
#   make test            sets up, then runs the fast test suite, linters included
#   make test-slow       the long tests; installs place and route, and builds bitstreams
#   make test-torch      golden against PyTorch, and training; installs PyTorch
#   make setup           only sets up
#   make lock            chooses the locked versions anew (needs uv)
#   make clean           removes .venv and build

.PHONY: demo test test-slow test-torch setup lock clean
.DELETE_ON_ERROR:
# Whatever another project has put there must not be imported here.
unexport PYTHONPATH PYTHONHOME

BIN := .venv/bin
# The first interpreter that is new enough; override as in `make setup PYTHON=/path/to/python`.
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

demo: .venv/run.stamp
	$(BIN)/bbnn demo

test: .venv/test.stamp
	$(BIN)/python -m pytest --numprocesses=auto

test-slow: .venv/test.stamp
	$(BIN)/python -m pytest --numprocesses=auto -m "slow and not torch"

test-torch: .venv/torch.stamp
	$(BIN)/python -m pytest --numprocesses=auto -m torch

setup: .venv/test.stamp

.venv/run.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python must be 3.11 or newer, not missing or older" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/bbnn doctor
	@touch $@

.venv/test.stamp: requirements-test.lock .venv/run.stamp
	$(PIP) --require-hashes --requirement requirements-test.lock
	@touch $@

# Not locked: which PyTorch there is depends on the machine, and it is large.
.venv/torch.stamp: .venv/test.stamp
	$(PIP) --no-build-isolation --editable '.[train]'
	@touch $@

COMPILE := uv pip compile pyproject.toml --quiet --upgrade --universal --fork-strategy fewest \
    --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
    --custom-compile-command "make lock" --group build

lock:
	$(COMPILE) --group test --group lint --output-file requirements-test.lock
	$(COMPILE) --constraint requirements-test.lock --output-file requirements.lock

clean:
	rm -rf .venv build
