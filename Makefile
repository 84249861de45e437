.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
REQUIREMENTS := booking payments notifications standins dev
SERVICES := booking payments notifications
IMAGES ?= courtside
# Two files of tests at once, each on servers of its own: most of them wait more than they compute. `make test WORKERS=0` runs one by one.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
AUDIT = $(BIN)/uv run --quiet --no-project --isolated --python $(BIN)/python --with-requirements requirements/audit.txt

.PHONY: help up down reset demo bench test test-slow test-unit test-containers test-compose \
  faults faults-long faults-shrink proof mutants simulate hunt lint types fmt logs lock images audit sbom

help: ## Explain each target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt pyproject.toml contracts/pyproject.toml
	@$(PYTHON) deploy/local/bootstrap.py $(VENV)
	@touch $@

up: $(READY) ## Start PostgreSQL, Kafka, both stand-ins and the three services; no Docker needed
	@$(BIN)/courtside up

down: $(READY) ## Stop everything that `make up` started; the data stays
	@$(BIN)/courtside down

reset: $(READY) ## Stop everything and remove its data
	@$(BIN)/courtside reset

demo: $(READY) ## Book, pay and get the mail, over HTTP alone, and print each step
	@$(BIN)/courtside demo

logs: $(READY) ## Follow the logs of all parts
	@$(BIN)/courtside logs --follow

test: $(READY) ## The quick tests, in some minutes, on a PostgreSQL and a Kafka of their own
	@$(PYTEST) -m "not slow"

test-slow: $(READY) ## The others: kill -9, poison, races, a million rows, the state machine, the fuzz; part of every merge (CI says RERUNS)
	@$(PYTEST) -m slow $(RERUNS)

test-containers: test-compose ## What compose starts, a cluster that loses a broker, and the tests of whole services on containers; needs Docker
	@$(BIN)/python -m pytest tests/containers -m slow
	@COURTSIDE_TEST_SERVERS=containers $(PYTEST) -m "not child_servers" tests/integration tests/e2e

test-compose: $(READY) ## The images, `docker compose up`, a booking through the gateway, scaling, a kill, and some tests on containers
	@$(BIN)/python -m pytest tests/containers -m "not slow"
	@COURTSIDE_TEST_SERVERS=containers $(BIN)/python -m pytest -m "not slow" tests/e2e/test_one_booking.py tests/integration/chassis/test_relay.py

test-unit: $(READY) ## The pure tests, in seconds
	@$(BIN)/python -m pytest -m "not slow" tests/unit

bench: $(READY) ## Measure, each figure beside its bound or peer, and write docs/benchmarks.*: ONLY=a,f for some cases, ROUNDS=5
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(BOOKINGS),--bookings $(BOOKINGS))

faults: $(READY) ## A storm over the whole system, and a verdict: SEED=7 MINUTES=5, or REPLAY=plan.json; BUSY=1 where others work too
	@$(BIN)/python -m tests.faults run $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(REPLAY),--replay $(REPLAY)) \
	  $(if $(BUSY),--busy)

faults-long: $(READY) ## The same for an hour, or so many MINUTES
	@$(BIN)/python -m tests.faults run $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),60)

faults-shrink: $(READY) ## The fewest faults with which a run still breaks a promise: PLAN=<folder of the run>/plan.json
	@$(BIN)/python -m tests.faults shrink $(PLAN)

proof: $(READY) ## Write docs/proof.md from its ledger; RUN=<folders of storms or simulated lives> adds them before
	@$(BIN)/python -m tests.faults.proof $(RUN)

mutants: $(READY) ## Twenty and more defects of the product: the checker must find each; writes docs/mutants.md. NAMES="double-a-mail …" for some
	@$(BIN)/python -m tests.faults.mutants.proof $(NAMES)

simulate: $(READY) ## Lives of the three services in one process, each from its seed: SEEDS=5000, SECONDS=60, FIRST=7, or REPLAY=<file>
	@$(BIN)/python -m tests.simulation $(if $(REPLAY),--replay $(REPLAY),$(if $(SEEDS),--seeds $(SEEDS),--seconds $(or $(SECONDS),60)) $(if $(FIRST),--first $(FIRST)))

hunt: $(READY) ## Fourteen defects, one by one: the simulation must find each. NAMES="forgets_the_inbox …" for some, FIRST=7
	@$(BIN)/python -m tests.simulation.hunt $(NAMES) $(if $(FIRST),--first $(FIRST))

lint: $(READY) ## ruff, import-linter and deptry
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

types: $(READY) ## mypy --strict over services, contracts, deploy and tests
	@$(BIN)/mypy

fmt: $(READY) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: $(READY) ## Write requirements/*.txt anew: pinned, hashed, for all platforms, naming no index
	@for name in $(REQUIREMENTS); do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --no-emit-package courtside-contracts --group $$name pyproject.toml -o requirements/$$name.txt; done
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.13 \
	  --group image -o requirements/image.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --group pyproject.toml:audit -o requirements/audit.txt

images: ## The services' images of a release, by the commit that is checked out: VERSION=1.2.0, and IMAGES=<registry>/courtside, SOURCE=<address of the code>
	@test -n "$(VERSION)" || { echo "make images: say which, VERSION=1.2.0" >&2; exit 2; }
	@git diff --quiet HEAD || { echo "make images: there are changes that no commit has" >&2; exit 2; }
	@for name in $(SERVICES); do docker build --pull -f deploy/docker/Dockerfile --target service --build-arg SERVICE=$$name \
	  --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --label org.opencontainers.image.created=$$(git log -1 --format=%cI) \
	  $(if $(SOURCE),--label org.opencontainers.image.source=$(SOURCE)) -t $(IMAGES)/$$name:$(VERSION) . || exit 1; done

audit: $(READY) ## Ask the advisory service about every requirement of every image; fails when it cannot be asked
	@for name in $(SERVICES) standins image; do echo "requirements/$$name.txt"; \
	  $(AUDIT) pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements/$$name.txt \
	  || { echo "make audit: an advisory, or no answer of the service: see above" >&2; exit 1; }; done

sbom: $(READY) ## Write the bill of materials of every image, CycloneDX 1.6: sbom/<service>.json, sbom/standins.json
	@mkdir -p sbom
	@for name in $(SERVICES) standins; do cat requirements/$$name.txt requirements/image.txt | \
	  $(AUDIT) cyclonedx-py requirements --spec-version 1.6 --output-reproducible -o sbom/$$name.json - \
	  || { echo "make sbom: not written; its tools are downloaded the first time" >&2; exit 1; }; done
