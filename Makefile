# Everything is run from one virtual environment, .venv, which the targets build when they need it.
PYTHON ?= python3
BIN := .venv/bin

# Tests are rewritten by pytest before they run, which is to be done once.
unexport PYTHONDONTWRITEBYTECODE

# Touched last, so an interrupted set-up is done again.
STAMP := .venv/setup.stamp

SAMPLE_DATA := data/sample
SAMPLE_RUN := work_dirs/sample
SAMPLE_CONFIG := configs/sacm_voc.py

# What cuts the published VOC2012 setting down to minutes on two CPU cores: a smaller network, half
# the resolution, fewer steps.
SAMPLE_OPTIONS := \
	model.backbone.arch=d128-l8-k7-p4 \
	model.decode_head.in_channels=128 \
	model.decode_head.upscale_factor=4 \
	'scale=(640,160)' \
	'crop_size=(160,160)' \
	'zoom=(0.75,1.5)' \
	optim_wrapper.optimizer.lr=4e-3 \
	max_iters=700

.DEFAULT_GOAL := help
.PHONY: help setup train study test coverage torture test-oldest docs check clean

help: ## list the targets
	@echo 'usage: make TARGET [PYTHON=python3.11]'
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s%s\n", $$1, $$2}'

setup: $(STAMP) ## build .venv (a download of some GB, once)

# By environment, as that pins the setuptools that builds onedl-mmcv from source as well; the second
# name is the one that pip >= 25.3 reads for that.
$(STAMP): export PIP_CONSTRAINT = constraints.txt
$(STAMP): export PIP_BUILD_CONSTRAINT = constraints.txt
$(STAMP): requirements.txt constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'sacm_mm needs Python >= 3.10: name one, as in `make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11`' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt
	@# where nothing is built apart, pip refuses constraints for that
	env -u PIP_BUILD_CONSTRAINT $(BIN)/python -m pip install --no-build-isolation --no-deps -e .
	@# Servers often lack libGL, which opencv-python links; the headless build of the same version does not.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		echo 'opencv-python does not load here (no libGL?): putting its headless build over it'; \
		$(BIN)/python -m pip install --no-deps --force-reinstall opencv-python-headless && \
		$(BIN)/python -c 'import cv2'; }
	touch $@

train: export SACM_DATA = $(SAMPLE_DATA)
train: setup ## generate sample images, train on them, evaluate and draw the predictions
	$(BIN)/python tools/make_sample_data.py voc --out $(SAMPLE_DATA)
	$(BIN)/python tools/train.py $(SAMPLE_CONFIG) --work-dir $(SAMPLE_RUN) --overwrite --cfg-options $(SAMPLE_OPTIONS)
	$(BIN)/python tools/test.py $(SAMPLE_CONFIG) $(SAMPLE_RUN) --work-dir $(SAMPLE_RUN)/test \
		--grid $(SAMPLE_RUN)/grid.png --cfg-options $(SAMPLE_OPTIONS)

# The real thing, on data under $SACM_DATA: make study STUDY=camvid_seg
STUDY ?=
BUDGET ?= $(if $(STUDY),laptop,tiny)
JOBS ?= $(if $(STUDY),1,2)
STUDIED := $(or $(STUDY),camvid_seg)

study: export SACM_DATA := $(if $(STUDY),$(SACM_DATA),$(SAMPLE_DATA))
study: setup ## train backbones side by side and report: on sample images, or STUDY=camvid_seg
	$(if $(STUDY),,$(BIN)/python tools/make_sample_data.py camvid --out $(SAMPLE_DATA) --train 24 --val 8)
	@# a run that fails is in the report, with its reason
	-$(BIN)/python tools/study.py run $(STUDIED) --budget $(BUDGET) --jobs $(JOBS)
	$(BIN)/python tools/study.py report $(STUDIED) --budget $(BUDGET) \
		--out work_dirs/studies/$(STUDIED)/$(BUDGET)/report  # results/ has ours

QUICK_TESTS := -m pytest -n auto --maxprocesses 4 --dist loadfile

test: setup ## run the quick tests
	OMP_NUM_THREADS=1 $(BIN)/python $(QUICK_TESTS)

coverage: setup ## run them in twice the time, and say what they cover: it has to be most
	OMP_NUM_THREADS=1 $(BIN)/python $(QUICK_TESTS) --cov

# Hours; single groups with ONLY="kills disks", other moments and inputs with SEED=1. A group that
# has ended is not run again for the same commit.
SEED ?= 0
torture: export PYTHONPATH := tools/maintenance
torture: setup ## kill, starve and mislead every command; makes a table of how it ended
	$(BIN)/python -m torture --seed $(SEED) $(if $(ONLY),--only $(ONLY))

# What requirements.txt allows at least, in an environment of its own.
OLDEST := .venv-oldest

test-oldest: ## run the quick tests with the oldest versions that requirements.txt allows
	@test -x $(OLDEST)/bin/pytest || { $(PYTHON) -m venv $(OLDEST) && \
		$(PYTHON) tools/maintenance/oldest.py > $(OLDEST)/oldest.txt && \
		$(OLDEST)/bin/python -m pip install -r $(OLDEST)/oldest.txt && \
		$(OLDEST)/bin/python -m pip install --no-build-isolation --no-deps -e .; }
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python $(QUICK_TESTS)

docs: setup ## build the site into build/docs; any warning fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

check: setup ## lint, formatting, types, floors and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python tools/maintenance/model_zoo.py --check

clean: ## remove caches, builds and the sample run; .venv stays
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache $(SAMPLE_DATA) $(SAMPLE_RUN)
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
