# `make` alone lists the targets.
ACCELERATOR ?= cpu
PYTHON ?= python3.11
# PyTorch's CPU index, https://download.pytorch.org/whl/cpu, saves gigabytes of CUDA libraries.
TORCH_INDEX ?=
DATA ?= data
RUN ?= runs/sentiment
CONFIG ?= model_export/configurations/sentiment.toml
BUNDLE ?= models/sentiment
PROCESSES ?= 2

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SERVING := .venv/.serving-$(ACCELERATOR)
DEVELOPMENT := .venv/.development-$(ACCELERATOR)

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve test lint format fetch-data train export tools

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(SERVING) ## install what serving needs into .venv (no torch; ACCELERATOR=cpu or gpu)

install-dev: $(DEVELOPMENT) ## install training, load tests and checks into the same .venv

serve: $(SERVING) ## serve the model in models/sentiment on 127.0.0.1:8000 (SENTIMENT_PORT=… moves it)
	@$(BIN)/python -m service

test: $(DEVELOPMENT) lint ## set up what the tests need and run all of them
	$(BIN)/python -m pytest

lint: $(DEVELOPMENT) ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(DEVELOPMENT) ## rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fetch-data: $(DEVELOPMENT) ## fetch IMDb and SST-2 from their authors into DATA
	$(BIN)/python -m model_export fetch-data --data $(DATA)

train: $(DEVELOPMENT) ## train on DATA (directories of JSONL) into RUN; goes on where it was stopped
	$(BIN)/python -m model_export train --config $(CONFIG) --data $(DATA) --run $(RUN) --processes $(PROCESSES)

export: $(DEVELOPMENT) ## trace, verify and publish RUN as BUNDLE
	$(BIN)/python -m model_export export --run $(RUN) --bundle $(BUNDLE) \
		$(if $(wildcard $(DATA)),--data $(DATA))

tools: ## install the system packages that some tests use (Debian, as root)
	apt-get update -qq
	apt-get install --yes --no-install-recommends -qq \
		buildah chromium debootstrap fonts-noto-color-emoji nginx-light prometheus wrk

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; set PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# onnxruntime and onnxruntime-gpu are one module, so the other one has to go first.
OTHER_ONNXRUNTIME := $(if $(filter gpu,$(ACCELERATOR)),onnxruntime,onnxruntime-gpu)

$(SERVING): .venv/bin/python pyproject.toml constraints.txt
	@$(BIN)/python -m pip uninstall --quiet --yes $(OTHER_ONNXRUNTIME) 2>/dev/null
	$(PIP_INSTALL) --editable '.[$(ACCELERATOR)]'
	@rm -f .venv/.serving-* .venv/.development-* && touch $@

$(DEVELOPMENT): $(SERVING)
	$(PIP_INSTALL) --editable '.[$(ACCELERATOR),export,load,dev]'
	@touch $@
