# Everything is run from one virtual environment, .venv, which the targets build when they need it.
PYTHON ?= python3
BIN := .venv/bin

# Touched last, so an interrupted set-up is done again.
STAMP := .venv/setup.stamp

SAMPLE_DATA := data/sample
SAMPLE_RUN := work_dirs/sample
SAMPLE_CONFIG := configs/sacm_voc.py

# What cuts the published VOC2012 schedule down to minutes on two CPU cores.
SAMPLE_OPTIONS := \
	train_cfg.max_iters=400 \
	train_cfg.val_interval=400

.DEFAULT_GOAL := help
.PHONY: help setup train test check clean

help: ## list the targets
	@echo 'usage: make TARGET [PYTHON=python3.11]'
	@sed -n 's/^\([a-z]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-10s%s\n", $$1, $$2}'

setup: $(STAMP) ## build .venv (a download of some GB, once)

$(STAMP): requirements.txt constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'sacm_mm needs Python >= 3.10: name one, as in `make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11`' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --no-build-isolation --no-deps -e .
	@# Servers often lack libGL, which opencv-python links; the headless build of the same version needs none.
	$(BIN)/python -c 'import cv2' || \
		$(BIN)/python -m pip install --no-deps --force-reinstall -c constraints.txt opencv-python-headless
	touch $@

train: export SACM_DATA = $(SAMPLE_DATA)
train: setup ## generate sample images, train on them, evaluate and draw the predictions
	$(BIN)/python tools/make_sample_data.py voc --out $(SAMPLE_DATA)
	$(BIN)/python tools/train.py $(SAMPLE_CONFIG) --work-dir $(SAMPLE_RUN) --cfg-options $(SAMPLE_OPTIONS)
	$(BIN)/python tools/test.py $(SAMPLE_CONFIG) $(SAMPLE_RUN)/last.pth --work-dir $(SAMPLE_RUN) \
		--cfg-options $(SAMPLE_OPTIONS) --grid $(SAMPLE_RUN)/grid.png

test: setup ## run the quick tests
	$(BIN)/python -m pytest

check: setup ## lint, formatting, types and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

clean: ## remove caches, builds and the sample run; .venv stays
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache $(SAMPLE_DATA) $(SAMPLE_RUN)
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
