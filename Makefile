# `make` alone lists what can be done here. The stack itself is devstack's business: bin/devstack --help.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# How the backing services run: devstack (Debian or Ubuntu, as root, no Docker) or compose (any Docker engine).
STACK ?= devstack

PROGRAMS := api worker catalog notifier stripesim ops
CHECKS   := tools/check/go.mod
COMPOSE  := docker compose

# Where the stack listens, when its ports are not the default ones.
ifneq ($(STACK),compose)
ENVIRONMENT = eval "$$(bin/devstack env)";
endif

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  With STACK=compose, demo, up, down, status, logs and clean use Docker Compose."

# The stack

# Where Docker is asked for, it has to be there.
.PHONY: docker
docker:
	@docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1 || { \
		echo "no Docker engine with Compose answers: install Docker Engine and its Compose plugin (docs.docker.com/engine/install)," \
			"or, on Debian or Ubuntu as root, leave out STACK=compose"; exit 1; }

.PHONY: demo up down status logs clean
demo: up bin/demo ## start the stack and place orders that show what it does
	$(ENVIRONMENT) bin/demo

ifeq ($(STACK),compose)
up: docker ## start the stack
	$(COMPOSE) up --build --detach --wait
down: docker ## stop the stack; its data stays
	$(COMPOSE) down
status: ## what runs, and where
	$(COMPOSE) ps
logs: ## what services write
	$(COMPOSE) logs --tail=20
clean: ## stop the stack and remove its data
	$(COMPOSE) down --volumes
else
up: bin/devstack build
	bin/devstack up
down status logs clean: bin/devstack
	bin/devstack $@
endif

# Building

# The compiler allocates much and lives shortly: collecting its garbage more rarely saves a tenth of its time.
GO_BUILD := GOGC=400 CGO_ENABLED=0 go build -trimpath

.PHONY: build tools
build: ## the programs, into bin/
	$(GO_BUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

.PHONY: bin/demo
bin/demo:
	cd tools && $(GO_BUILD) -o ../$@ ./demo

# The Temporal server is a large module: some minutes the first time on a small machine, seconds later. Its root file
# system, for which one waits for the network and the disk, is built meanwhile.
bin/devstack: $(shell find tools/devstack \( -name '*.go' ! -name '*_test.go' -o -name '*.sh' -o -name 'go.*' \) -print)
	@[ "$$(uname)" = Linux ] || { echo "devstack needs Linux (Debian or Ubuntu): use STACK=compose with Docker"; exit 1; }
	@echo "building bin/devstack; the first time it compiles the Temporal server, its Web UI and FerretDB (some minutes)"
	@cd tools/devstack && $(GO_BUILD) -o ../../bin/buildroot ./cmd/buildroot
	@bin/buildroot & meanwhile=$$!; trap 'kill $$meanwhile 2>/dev/null' EXIT; \
		(cd tools/devstack && $(GO_BUILD) -ldflags=-w -o ../../$@ .) && { wait $$meanwhile || true; }
	@touch $@

tools: bin/temporal bin/tctl ## Temporal's command-line tools, temporal and tctl, into bin/

bin/temporal: tools/temporal/go.mod
	@echo "building bin/temporal (some minutes the first time)"
	cd $(<D) && $(GO_BUILD) -o ../../$@ github.com/temporalio/cli/cmd/temporal

bin/tctl: tools/tctl/go.mod
	@echo "building bin/tctl (a minute or two the first time)"
	cd $(<D) && $(GO_BUILD) -o ../../$@ github.com/temporalio/tctl/cmd/tctl

# Testing

# EACH runs `go test`, with the flags that follow it, in each module that is tested on the services.
MODULES := . saga e2e tools
EACH := bash -c 'status=0; for m in $(MODULES); do go -C $$m test "$$@" ./... || status=1; done; exit $$status' go-test

.PHONY: test test-unit test-long conformance histories check race-detector chromium
.PHONY: bench bench-api bench-memory bench-messages bench-catalog
test: bin/devstack build race-detector chromium ## all tests, on real services in a throw-away stack of their own
	bin/devstack exec --services-only -- $(EACH) -race -timeout 20m
	cd tools/devstack && CGO_ENABLED=0 go test ./...

test-unit: race-detector ## the tests that need no services
	$(EACH) -short -race

test-long: bin/devstack build tools race-detector chromium ## campaigns, large data and long random runs as well
	bin/devstack exec --services-only -- $(EACH) -race -timeout 3h -tags long
	cd tools/devstack && CGO_ENABLED=0 go test -timeout 30m -tags long ./...

CONFORMANCE := TestEveryDisturbance|TestPairsOfDisturbances|TestEverySeededBug

conformance: ## every disturbance of every step of the saga, alone and in pairs, and every seeded bug (some minutes)
	go test -short -count=1 -tags long -timeout 1h -run '$(CONFORMANCE)' -v ./workflows
	CONFORMANCE_WRITE=1 go test -short -count=1 -run TestConformanceDocument ./workflows
	@cat docs/conformance.md

histories: bin/devstack ## record a history of every way through the saga, for the replay tests; REV=revision (some minutes)
	workflows/record.sh $(REV)

# The stack of a benchmark is its own, and durable unless FSYNC=off. BENCH holds further flags: bin/bench --help.
JSON     ?= bin/bench.json
ORDERS   ?= 10000,100000,1000000
FSYNC    ?= on
MEASURED := bin/devstack exec $(if $(filter on,$(FSYNC)),--fsync) --

.PHONY: bin/bench
bin/bench: bin/devstack build
	cd tools && $(GO_BUILD) -o ../$@ ./bench

bench: bin/bench ## what an order costs, beside the same steps without an engine; JSON=file, BENCH="-concurrency 64"
	$(MEASURED) bin/bench -json $(JSON) $(BENCH)
	$(MEASURED) bin/bench -sheet 100 $(BENCH)

bench-api: bin/bench ## what a request costs the api with 10 thousand, 100 thousand and a million orders
	$(MEASURED) bin/bench -growth $(ORDERS) -concurrency 16 $(BENCH)

bench-memory: bin/bench ## the memory of each program while 50,000 orders are placed (half an hour)
	$(MEASURED) bin/bench -soak 50000 $(BENCH)

bench-messages: bin/devstack ## confirmed publishes a second with 1, 8 and 64 publishers, beside the client library's bare maximum
	bin/devstack exec --services-only -- go test -run '^$$' -bench . ./internal/rabbitmq

# On the stack's store and then, when the environment's MONGODB_URI names one, on that server, in a database of its own.
bench-catalog: bin/devstack ## how fast stock is sold, and products priced and listed, up to a million; also on MONGODB_URI
	$(MEASURED:exec=exec --services-only) go -C tools run ./catalogbench $(BENCH)
	$(if $(MONGODB_URI),go -C tools run ./catalogbench $(BENCH))

# The race detector needs a C compiler.
race-detector:
	@command -v $${CC:-gcc} >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev; }

# The page and the documentation are tested in a browser.
chromium:
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends chromium; }

check: race-detector ## what to run before a push: format, vet, linters, known vulnerabilities, modules, short tests
	tools/check.sh $(CHECKS)
	$(EACH) -short -race
