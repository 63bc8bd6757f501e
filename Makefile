# What people type and CI runs; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CONFIG ?=
PYTHON ?=
UPGRADE ?=
PYTEST_ARGS ?=
FLINK_JAR ?=
BENCH_ARGS ?=
export PYTHON

UV := bash requirements/uv.sh
# One line for each large download and each build, not the 250 lines of what is then installed.
PROGRESS := 2>&1 | { grep --line-buffered --invert-match --extended-regexp '^ ([-+~]|Downloaded|    *Built) ' || true; }

# Behind a company's proxy, uv, pip and Python must trust what the system trusts.
CERTIFICATES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))
ifneq ($(CERTIFICATES),)
export SSL_CERT_FILE ?= $(CERTIFICATES)
export PIP_CERT ?= $(CERTIFICATES)
export REQUESTS_CA_BUNDLE ?= $(CERTIFICATES)
endif
export UV_SYSTEM_CERTS ?= 1

# .venv is made anew where its Python has gone or the folder has moved since.
IS_310 := import sys; sys.exit(sys.version_info[:2] != (3, 10))
BROKEN := $(shell .venv/bin/python -c '$(IS_310)' 2>/dev/null && [ "$$(cat .venv/.made-in 2>/dev/null)" = "$(CURDIR)" ] || echo broken)

.PHONY: help run test test-slow servers test-mutants test-portable test-flink test-cluster test-kill test-image test-s3 bench-quality bench-index bench-scale bench-serving lint format docs venv lock pin-images audit clean broken

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { \
	    line = sprintf("  make %-14s", $$1); count = split($$2, words, " "); \
	    for (place = 1; place <= count; place++) { \
	        if (length(line " " words[place]) > 80) { print line; line = sprintf("%21s", "") } \
	        line = line " " words[place] } \
	    print line }' $(MAKEFILE_LIST)

run: .venv/.runtime ## Runs the pipeline: MovieLens 100K, or CONFIG=configs/x.yaml
	@.venv/bin/python pipeline_runner.py run $(if $(CONFIG),--config $(CONFIG))

# One process per core; each takes up to 3 GB. tests/conftest.py groups the tests that share one.
IN_PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

SLOWEST := --durations=30 --durations-min=1

test: lint .tools/manifests/.made .tools/api-fuzz/.made ## Lints, then runs the tests, 18 minutes; PYTEST_ARGS="-k windows" narrows them down
	@.venv/bin/python -m pytest $(IN_PARALLEL) $(SLOWEST) -m "not slow" $(PYTEST_ARGS)

test-slow: servers .tools/audit/.made ## Audits the locks, then runs the tests that `make test` leaves out (CONTRIBUTING.md lists them)
	@.venv/bin/python requirements/audit.py --in-tests
	@.venv/bin/python -m pytest $(IN_PARALLEL) $(SLOWEST) -m slow $(PYTEST_ARGS)

servers: .venv/.dev
	@.venv/bin/python requirements/tools.py mariadb postgresql

test-kill: .venv/.dev ## Kills the smoke run in twenty nodes, a quarter of an hour; SHORTLIST_SEED=N repeats the moments
	@SHORTLIST_KILLS=20 .venv/bin/python -m pytest --capture=no tests/pipeline/test_killed.py

test-image: .venv/.dev ## Executes the steps of both Dockerfiles without Docker: root or user namespaces, 10 GB, minutes
	@SHORTLIST_TEST_IMAGE=1 .venv/bin/python -m pytest --capture=no tests/deploy/test_dockerfile.py tests/server/test_image.py

test-s3: .venv/.dev .tools/s3/.made ## Copies a task's artifacts from and to a real S3 server (SeaweedFS)
	@SHORTLIST_WEED=.tools/s3/bin/weed .venv/bin/python -m pytest --capture=no tests/pipeline/kubeflow/test_object_store.py

test-mutants: .venv/.dev ## Puts a fault into a copy of each component, 22 in all; its tests must find it
	@.venv/bin/python -m tests.mutants.run

test-portable: .venv/.dev ## The smoke run on Beam's job server and a worker pool, against the direct one
	@SHORTLIST_TEST_ENGINE=portable .venv/bin/python -m pytest --capture=no tests/pipeline/test_engines.py

test-flink: .venv/.dev ## The same on Flink: FLINK_JAR=beam-runners-flink-1.18-job-server-2.60.0.jar, and Java 17
	@SHORTLIST_TEST_ENGINE=flink SHORTLIST_FLINK_JAR=$(FLINK_JAR) \
	    .venv/bin/python -m pytest --capture=no tests/pipeline/test_engines.py

test-cluster: .venv/.dev .tools/flink/.made ## Checks of a Flink cluster before a run, on a real one with two TaskManagers; needs a JDK 17
	@SHORTLIST_FLINK_HOME=.tools/flink/lib/python3.10/site-packages/pyflink \
	    .venv/bin/python -m pytest --capture=no tests/shortlist/engines/test_real_cluster.py

bench-quality: .venv/.runtime ## Compares Shortlist with its peers, 20 minutes; BENCH_ARGS=--full for the whole table, hours
	@.venv/bin/python -m benchmarks.quality.run $(BENCH_ARGS)

bench-scale: .venv/.runtime ## Runs the pipeline on a planted log, minutes; BENCH_ARGS="--sizes 1000000:200000" for larger ones
	@.venv/bin/python -m benchmarks.planted.run $(BENCH_ARGS)

bench-serving: .venv/.runtime ## Measures the server with wrk: BENCH_ARGS="--model workspaces/movielens-100k/serving/movielens-100k"
	@.venv/bin/python -m benchmarks.serving.run $(BENCH_ARGS)

bench-index: .venv/.runtime ## Compares the index with other libraries' on the same vectors, 20 minutes; BENCH_ARGS="--sizes 1000000"
	@.venv/bin/python -m benchmarks.index.run $(BENCH_ARGS)

lint: .venv/.dev ## Checks style, format, types and layers
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/python requirements/images.py --check

format: .venv/.dev ## Repairs what ruff can repair
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

docs: .venv/.dev ## Writes docs/configuration.md from the typed config, and the picture of the layers
	@.venv/bin/python -m shortlist.config.reference
	@.venv/bin/python -m docs.draw_layers

venv: .venv/.dev ## Makes .venv with everything, development tools too

lock: ## Brings the locks in line with requirements/*.in; UPGRADE=1 also takes newer versions
	@bash requirements/lock.sh $(if $(UPGRADE),--upgrade)

pin-images: .venv/.runtime ## Writes the digests of the images in deploy/ beside their tags, from their registries
	@.venv/bin/python requirements/images.py

audit: .venv/.runtime .tools/audit/.made ## Asks PyPI or OSV for the locked packages' known vulnerabilities
	@.venv/bin/python requirements/audit.py

clean: ## Removes what make made (.venv, .tools, caches), never data or workspaces
	@rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	@find cli shortlist components pipeline server tests -name __pycache__ -type d -prune -exec rm -rf {} +

FIRST_TIME := Installing the locked stack (about 1 GB to download and 3 GB on disk, once)
LATER := Bringing .venv in line with the locks

# Each lock is the whole environment, and dev.txt has all of runtime.txt at the same versions: a change of either is
# followed exactly, and `run` after `test` has nothing to do.
.venv/.runtime: requirements/runtime.txt requirements/build.txt setup.py $(BROKEN)
	@[ -z "$(BROKEN)" ] || bash requirements/venv.sh
	@echo "$(if $(BROKEN),$(FIRST_TIME),$(LATER)) ..."
	@$(call install,runtime)
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@echo "Installing the development tools ..."
	@$(call install,dev)
	@touch $@

# Programs that tests start, each in an environment of its own: the scanner brings pip, which `data fetch` would prefer to
# uv if .venv had it; the manifests' schemas would slow down each import of TFX, and schemathesis each pytest; the S3
# server is 150 MB for one test.
.tools/%/.made: requirements/%.txt | .venv/.runtime
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/$*
	@$(UV) pip sync --quiet --python .tools/$*/bin/python --require-hashes --only-binary :all: requirements/$*.txt
	@touch $@

# Not by setuptools' finder, which is asked last: beside a clone named `shortlist`, Python takes that folder for the package.
AS_A_PATH := --config-settings editable_mode=compat

# Flink comes as a source package without code to compile.
.tools/flink/.made: requirements/flink.txt | .venv/.runtime
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/flink
	@$(UV) pip sync --quiet --python .tools/flink/bin/python --require-hashes \
	    --build-constraints requirements/build.txt requirements/flink.txt
	@touch $@

# Compiled here, since a process that may not write to .venv would compile TFX's thousand modules each time it starts.
define install
$(UV) pip sync --python .venv/bin/python --compile-bytecode --require-hashes --build-constraints requirements/build.txt \
    requirements/$(1).txt $(PROGRESS) \
    || { echo "The install failed, see above; where a package could not be built, it needs a C++ compiler (apt install g++)" >&2; exit 1; }
$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation $(AS_A_PATH) --editable .
endef
