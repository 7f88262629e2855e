# Thin: every target is one command. `make setup` runs by itself where it is needed.
ENV ?= local
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help setup up down status preview validate simulate test check bench
help:
	@echo "make up          a GPU cluster on this machine: real Kubernetes, simulated nodes   [ENV=local]"
	@echo "make status      what runs where                                                   [ENV=local]"
	@echo "make down        stop it and remove its data                                       [ENV=local]"
	@echo "make preview     what an environment would create, without a cloud                 [ENV=local]"
	@echo "make validate    every mistake in an environment's settings                        [ENV=local]"
	@echo "make simulate    show one behaviour, such as spot-loss; without NAME a list        [NAME=]"
	@echo "make test        all tests                    make check   lint and types"
	@echo "make bench       speed, as ratios in one run  make setup   only install"

setup: $(STAMP)
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

up down status preview validate: $(STAMP)
	@$(BIN)/gpu-platform $@ --env $(ENV)

simulate: $(STAMP)
	@$(BIN)/gpu-platform simulate $(or $(NAME),--list)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(STAMP)
	$(BIN)/python -m tests.build_tools
	$(BIN)/pytest --numprocesses=2 --dist=loadfile

bench: $(STAMP)
	$(BIN)/python -m benchmarks
