# SRE Edge. Everything runs from .venv, which `make setup` builds from requirements.lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime
STAMP := .venv/.development
GENERATED := sre_edge/v1
PROTOS := $(wildcard protos/sre_edge/v1/*.proto)
# Programs that `go install` and `make test-tools` bring.
export PATH := $(HOME)/go/bin:$(PATH)
# Images set it, and then each of the hundreds of programs that tests start compiles all it imports.
unexport PYTHONDONTWRITEBYTECODE
# uv does not read pip's settings.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.PHONY: help
help:  ## Show the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run it
.PHONY: run
run: $(RUNTIME)  ## Run the server and the dashboard until Ctrl-C
	@exec $(BIN)/sre-edge up

##@ Change it
.PHONY: setup
setup: $(STAMP)  ## Create .venv with the locked dependencies

# $(call install,LOCK): the locked dependencies and this repository, into .venv
define install
@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older; set PYTHON=/path/to/python" >&2; exit 1; }
@test -x $(BIN)/python || $(PYTHON) -m venv .venv
@tools/install.sh $(1)
@touch $@
endef

$(RUNTIME): requirements.lock pyproject.toml
	$(call install,requirements.lock)

$(STAMP): requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $(RUNTIME)

.PHONY: hooks
hooks: $(STAMP)  ## Check before each commit what `make lint` checks
	@$(BIN)/pre-commit install

.PHONY: lint
lint: $(STAMP) protos-check  ## Format, lint, types, import directions, API
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd protos && ../$(BIN)/buf format --diff --exit-code && ../$(BIN)/buf lint && \
	../$(BIN)/buf breaking --against released.binpb

TESTS := fast
WORKERS := 4
MARKED_fast := -m "not slow"
MARKED_slow := -m slow

.PHONY: test
test: $(STAMP)  ## The test suite, a real server and a real browser included; TESTS=all: the slow checks, too
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10 $(MARKED_$(TESTS))

.PHONY: test-slow
test-slow:  ## The slow checks alone
	@$(MAKE) --no-print-directory test TESTS=slow

.PHONY: test-tools
test-tools:  ## Install the programs that tests need: a browser, PostgreSQL, grpcurl and others
	@tools/test_tools.sh

.PHONY: protos
protos: $(STAMP)  ## Generate the Python stubs from protos/ into sre_edge/v1
	@rm -f $(GENERATED)/*_pb2*.py*
	@$(call generate,.)

.PHONY: protos-check
protos-check: $(STAMP)  ## Fail if the committed stubs differ from what protos/ generates
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && $(call generate,"$$out") && \
	diff -r --exclude=__init__.py --exclude=__pycache__ "$$out/$(GENERATED)" $(GENERATED) || \
	{ echo "The stubs in $(GENERATED) do not match protos/: run 'make protos'" >&2; exit 1; }

.PHONY: clients client-go client-typescript client-java
clients: client-go client-typescript client-java  ## Build the clients in Go, TypeScript and Java

client-go: $(STAMP)  ## Build clients/go/build/sre-edge-go
	@cd clients/go && PATH="$(CURDIR)/$(BIN):$$PATH" buf generate ../../protos && go build -o build/sre-edge-go .

client-typescript: $(STAMP)  ## Build clients/typescript/build
	@cd clients/typescript && npm ci --silent && mkdir -p generated && \
	../../$(BIN)/python -m grpc_tools.protoc -I../../protos -I$(abspath $(wildcard .venv/lib/python3*/site-packages)) \
	  --plugin=node_modules/.bin/protoc-gen-es --es_out=generated --es_opt=target=ts,import_extension=js \
	  $(addprefix ../../,$(PROTOS)) google/rpc/status.proto google/rpc/error_details.proto && npm run --silent build

client-java: $(STAMP)  ## Build clients/java/target/sre-edge.jar
	@cd clients/java && mvn --batch-mode --quiet package

.PHONY: lock
lock: $(STAMP)  ## Resolve the dependencies anew, into requirements*.lock and that of the TypeScript client
	@$(call resolve,--extra all --extra postgres --group build,requirements.lock)
	@$(call resolve,--all-extras --group dev --group bench --constraint requirements.lock,requirements-dev.lock)
	@cd clients/typescript && npm install --package-lock-only --silent && \
	lock=$$(jq 'del(.packages[].funding)' package-lock.json) && echo "$$lock" >package-lock.json

define resolve
$(BIN)/uv pip compile pyproject.toml $(1) --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url -q -o $(2)
endef

# $(call generate,DIRECTORY): the Python stubs of protos/, typed, into DIRECTORY
define generate
PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(1) --mypy_out=quiet:$(1) $(PROTOS) && \
PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1) $(filter %_service.proto,$(PROTOS))
endef

##@ Measure it
.PHONY: bench
bench: $(STAMP)  ## Measure everything beside its limits and peers, into docs/benchmarks.md (25 minutes)
	@$(BIN)/python -m benchmarks

.PHONY: soak
soak: $(STAMP)  ## A simulated day with 50 subscribers; 10,000 generated requests to every call (two hours)
	@$(BIN)/python -m benchmarks.soak
	@EXAMPLES=10000 $(BIN)/python -m pytest -q -s -m slow tests/server/test_generated_requests.py

.PHONY: train
train: $(STAMP)  ## Train the shipped model from scratch
	@$(BIN)/python -m ml train

.PHONY: evaluation
evaluation: $(STAMP)  ## Evaluate the shipped model with the oracle, into docs/evaluation.md (an hour)
	@$(BIN)/python -m ml evaluate --seed 11 --systems 12 --episodes 30 --json docs/evaluation.json --plots docs/images/evaluation
	@$(BIN)/python docs/tables.py

##@ Document and release it

.PHONY: docs
docs: $(STAMP)  ## Write the API, metrics and faults, and the keys of files into docs/ from the code
	@$(BIN)/python docs/reference.py
	@PYTHONPATH=. $(BIN)/python docs/metrics_and_faults.py
	@PYTHONPATH=. $(BIN)/python docs/keys.py

.PHONY: answers
answers: $(STAMP)  ## Write the answers to the commands in docs/api.md anew
	@PYTHONPATH=. $(BIN)/python docs/answers.py

.PHONY: screenshots
screenshots: $(STAMP)  ## Take the pictures of every view from the real dashboard
	@PYTHONPATH=. $(BIN)/python docs/screenshot.py

.PHONY: release
release: $(STAMP)  ## VERSION=1.2.3 [FLAGS=--dry-run]: check, run the gate, build into dist/, commit, tag
	@$(BIN)/python tools/release.py $(VERSION) $(FLAGS)
