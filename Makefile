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
RUNS ?= 1000000
IMAGE ?= packed-sentiment
ENGINE ?= $(notdir $(firstword $(foreach engine,docker podman buildah,$(shell command -v $(engine)))))
# Another base needs python3.11 with venv; none: the one that the Dockerfile pins.
BASE_IMAGE ?=

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SERVING := .venv/.serving-$(ACCELERATOR)
DEVELOPMENT := .venv/.development-$(ACCELERATOR)

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve test lint format fetch-data train export load tools \
	fuzz wheels image test-image release licences

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(SERVING) ## install what serving needs into .venv (no torch; ACCELERATOR=cpu or gpu)

install-dev: $(DEVELOPMENT) ## install training, load tests and checks into the same .venv

serve: $(SERVING) ## serve the model in models/sentiment on 127.0.0.1:8000 (SENTIMENT_PORT=… moves it)
	@$(BIN)/python -m service

test: $(DEVELOPMENT) lint ## set up what the tests need and run all of them
	$(BIN)/python -m pytest

fuzz: $(DEVELOPMENT) ## try RUNS inputs on the bundle loader and the request parsers
	$(BIN)/python -m tests.fuzz -atheris_runs=$(RUNS) -max_len=4000

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

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

wheels: .venv/bin/python ## download what the image installs into wheels/ (ACCELERATOR=cpu or gpu)
	@mkdir -p wheels/$(ACCELERATOR)
	$(BIN)/python release/requirements.py $(ACCELERATOR) > wheels/$(ACCELERATOR)/requirements.txt
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --only-binary :all: \
		--constraint constraints.txt --dest wheels/$(ACCELERATOR) \
		--requirement wheels/$(ACCELERATOR)/requirements.txt

# Without the docker format, podman and buildah drop the health check.
image: ## build the image with docker, podman or buildah (ENGINE=…, ACCELERATOR=cpu or gpu)
	$(if $(ENGINE),,$(error neither docker nor podman nor buildah was found))
	$(ENGINE) build $(if $(filter docker,$(ENGINE)),,--format docker) --target $(ACCELERATOR) \
		$(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		--tag $(IMAGE):$(VERSION)-$(ACCELERATOR) .

test-image: $(DEVELOPMENT) wheels build/base.tar ## build the image with buildah and try it (Debian, as root)
	$(BIN)/python -m pytest tests/image

release: $(DEVELOPMENT) ## write the bundle's archive, the SBOM (CycloneDX) and checksums into dist/
	$(BIN)/python -m release --bundle $(BUNDLE) --directory dist

licences: $(DEVELOPMENT) ## write THIRD_PARTY.md from the installed packages
	$(BIN)/python -m release --licences

# Stands in for the pinned base where no registry of images can be reached. The mounts that
# debootstrap makes inside end with the namespace.
build/base.tar:
	@mkdir -p build
	unshare --mount sh -ec 'debootstrap --variant=minbase --include=python3,python3-venv \
		bookworm build/base http://deb.debian.org/debian >build/base.log'
	tar --directory build/base --exclude './var/cache/apt/*' --exclude './var/lib/apt/lists/*' \
		--create --file $@.part .
	rm -rf --one-file-system build/base
	mv $@.part $@

load: $(DEVELOPMENT) ## put load on the service and fail if load_tests/slo.toml is missed
	$(BIN)/python -m load_tests slo

tools: ## install the system packages that some tests use (Debian, as root)
	apt-get update -qq
	apt-get install --yes --no-install-recommends -qq \
		buildah chromium debootstrap docker-compose fonts-noto-color-emoji g++ iproute2 \
		nginx-light prometheus

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
	$(PIP_INSTALL) --editable '.[$(ACCELERATOR),train,load,dev]'
	$(BIN)/python -m service.engine.kernel.build
	@touch $@
