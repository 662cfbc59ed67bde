# Every target first makes the environment it needs, if it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TRAIN := $(BIN)/cifar-linear train
# One more than there are processors: many tests wait for processes of their own.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
REQUIRED := lambda-0_eta-0.1 lambda-0_eta-0.001 lambda-0.1_eta-0.001 lambda-1_eta-0.001

.DEFAULT_GOAL := help
.PHONY: help run required $(REQUIRED) mnist networks gradcheck fuzz campaign handins bench test check environment format-check lint types format notebook docs schema lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf 'make %-22s one of the four required settings\n' $(REQUIRED)

run: $(VENV)/run.stamp  ## train on generated images: no download, a second or two
	$(TRAIN) --config configs/quickstart.yaml

required: $(REQUIRED)  ## train and compare the four required settings on CIFAR-10 (set CIFAR_LINEAR_DATA to its folder)
	$(BIN)/cifar-linear report $(REQUIRED) -o report/required

$(REQUIRED): $(VENV)/run.stamp
	$(TRAIN) --config configs/required/$@.yaml $(ARGS)

mnist: $(VENV)/run.stamp  ## run the experiments on MNIST and write the report that answers the course's questions
	$(TRAIN) --config configs/mnist/binary.yaml --no-figures
	$(TRAIN) --config configs/mnist/binary_shuffled.yaml --no-figures
	$(TRAIN) --config configs/mnist/softmax.yaml --no-figures
	$(BIN)/cifar-linear sweep --config configs/mnist/lambdas.yaml --no-figures
	$(BIN)/cifar-linear report --questions configs/mnist/questions.yaml -o report/mnist

networks: $(VENV)/run.stamp  ## the networks of configs/networks with several seeds, on MNIST and CIFAR-10: about an hour
	for name in mnist-course mnist-cosine mnist-mlp; do \
		$(TRAIN) configs/networks/$$name.yaml --seeds 5 --name $$name --no-figures $(ARGS) || exit; done
	for name in cifar10-mlp cifar10-course cifar10-course-two-pools cifar10-improved cifar10-improved-three cifar10-best; do \
		$(TRAIN) configs/networks/$$name.yaml --seeds 3 --name $$name --no-figures $(ARGS) || exit; done

gradcheck: $(VENV)/run.stamp  ## compare analytic with numeric gradients
	$(BIN)/cifar-linear gradcheck

test: $(VENV)/dev.stamp  ## run the test suite; warnings are errors
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(ARGS)

fuzz: $(VENV)/dev.stamp  ## fuzz the parsers for about ten minutes
	$(BIN)/python -m pytest --hypothesis-profile campaign $(ARGS) tests/test_fuzz.py

campaign: $(VENV)/dev.stamp  ## kill, interrupt and starve trainings and sweeps, and compare their bits: about an hour
	$(BIN)/python benchmarks/campaign.py
	$(BIN)/python benchmarks/cluster_campaign.py $(ARGS)

handins: $(VENV)/dev.stamp  ## make a class on CIFAR-10 with honest and forged hand-ins and check it: about half an hour
	PYTHONPATH=tests $(BIN)/python benchmarks/handins.py $(ARGS) handins-campaign

bench: $(VENV)/bench.stamp  ## compare with PyTorch, JAX and scikit-learn on CIFAR-10: about 40 minutes
	$(BIN)/python benchmarks/compare.py $(ARGS)

check: format-check lint types test  ## run all checks that a change must pass

environment: $(VENV)/dev.stamp  ## make the development environment

format-check: $(VENV)/dev.stamp  ## check the formatting
	$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp  ## run the linter
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp  ## check the types
	$(BIN)/mypy

format: $(VENV)/dev.stamp  ## format the code and apply the linter's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebook: $(VENV)/dev.stamp  ## run the notebook in docs again and store what its cells show
	$(BIN)/pip install --quiet --disable-pip-version-check ipykernel nbconvert
	cd $$(mktemp -d) && cp $(CURDIR)/docs/notebook.ipynb . && \
	  OPENBLAS_NUM_THREADS=1 $(CURDIR)/$(BIN)/python -m nbconvert --to notebook --execute --inplace \
	  --ExecutePreprocessor.record_timing=False notebook.ipynb && \
	  cp notebook.ipynb $(CURDIR)/docs/notebook.ipynb

docs: $(VENV)/dev.stamp  ## renew what the docs show of the program: tables of the reference, outputs of commands
	$(BIN)/python docs/pages.py
	env -u CIFAR_LINEAR_DATA OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/doc_blocks.py docs/tutorial.md $(wildcard docs/how-to/*.md docs/course/*.md docs/reference/*.md)

schema: $(VENV)/run.stamp  ## regenerate the schemas in configs
	$(BIN)/cifar-linear config schema > configs/schema.json
	$(BIN)/cifar-linear config schema --sweep > configs/sweep-schema.json
	$(BIN)/cifar-linear config schema --questions > configs/questions-schema.json

lock: $(VENV)/dev.stamp  ## pin the newest versions that pyproject.toml allows
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --no-header --upgrade pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --no-header --upgrade --extra dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt

clean:  ## remove the environment and all caches, but no runs
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/bench.stamp: pyproject.toml $(VENV)/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@
