# `make` lists the targets. bin/devstack runs the stack: bin/devstack --help.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# How the backing services run: devstack (Debian or Ubuntu, as root, no Docker) or compose (any Docker engine).
STACK ?= devstack

PROGRAMS := api worker orders catalog notifier stripesim ops
COMPOSE  := docker compose

# Where the stack listens, in case its ports are not the default ones.
ifneq ($(STACK),compose)
ENVIRONMENT = eval "$$(bin/devstack env)";
endif

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  With STACK=compose, demo, up, down, status, logs and clean use Docker Compose."

# The stack

.PHONY: docker
docker:
	@docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1 || { \
		echo "there is no running Docker engine with Compose: install Docker Engine and its Compose plugin" \
			"(docs.docker.com/engine/install), or, on Debian or Ubuntu as root, leave out STACK=compose"; exit 1; }

.PHONY: demo up down status logs clean
demo: up bin/demo ## start the stack and place orders that show what it does
	$(ENVIRONMENT) bin/demo

ifeq ($(STACK),compose)
up: docker ## start the stack
	$(COMPOSE) up --build --detach --wait
down: docker ## stop the stack; its data stays
	$(COMPOSE) down
status: ## list the services and their addresses
	$(COMPOSE) ps
logs: ## show the services' logs
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

# The compiler allocates a lot and exits soon: less garbage collection saves a tenth of its time.
GO_BUILD := GOGC=400 CGO_ENABLED=0 go build -trimpath

.PHONY: build tools
build: ## build the programs into bin/
	$(GO_BUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

.PHONY: bin/demo
bin/demo:
	cd tools && $(GO_BUILD) -o ../$@ ./demo

# The Temporal server is a large module: it takes some minutes the first time, and seconds later. Its root file system, which
# waits for the network and the disk, is built at the same time.
bin/devstack: $(shell find tools/devstack \( -name '*.go' ! -name '*_test.go' -o -name '*.sh' -o -name 'go.*' \) -print)
	@[ "$$(uname)" = Linux ] || { echo "devstack needs Linux (Debian or Ubuntu): use STACK=compose with Docker"; exit 1; }
	@echo "building bin/devstack; the first time it compiles the Temporal server, its Web UI and FerretDB (some minutes)"
	@cd tools/devstack && $(GO_BUILD) -o ../../bin/buildroot ./cmd/buildroot
	@bin/buildroot & meanwhile=$$!; trap 'kill $$meanwhile 2>/dev/null' EXIT; \
		(cd tools/devstack && $(GO_BUILD) -ldflags=-w -o ../../$@ .) && { wait $$meanwhile || true; }
	@touch $@

tools: bin/temporal bin/tctl ## build Temporal's command-line tools, temporal and tctl, into bin/

bin/temporal: tools/temporal/go.mod
	@echo "building bin/temporal (some minutes the first time)"
	cd $(<D) && $(GO_BUILD) -o ../../$@ github.com/temporalio/cli/cmd/temporal

bin/tctl: tools/tctl/go.mod
	@echo "building bin/tctl (a minute or two the first time)"
	cd $(<D) && $(GO_BUILD) -o ../../$@ github.com/temporalio/tctl/cmd/tctl

# Testing

# EACH runs `go test` with the flags that follow it, in each module.
MODULES := . saga saga/participant e2e tools
EACH := bash -c 'status=0; for m in $(MODULES); do go -C $$m test "$$@" ./... || status=1; done; exit $$status' go-test

.PHONY: test test-unit test-long conformance histories check race-detector chromium
.PHONY: bench bench-api bench-memory bench-messages bench-catalog
test: bin/devstack build race-detector chromium bin/promtool ## run all tests, on real services in a throwaway stack
	bin/devstack exec --services-only -- $(EACH) -race -timeout 20m
	cd tools/devstack && CGO_ENABLED=0 go test ./...

test-unit: race-detector ## run the tests that need no services
	$(EACH) -short -race

test-long: bin/devstack build tools race-detector chromium bin/promtool ## also run campaigns, large data and long random runs
	bin/devstack exec --services-only -- $(EACH) -race -timeout 3h -tags long
	cd tools/devstack && CGO_ENABLED=0 go test -timeout 30m -tags long ./...

CONFORMANCE := TestEveryDisturbance|TestPairsOfDisturbances|TestEverySeededBug

conformance: ## test every disturbance of every step, alone and in pairs, and every seeded bug (some minutes)
	go test -short -count=1 -tags long -timeout 1h -run '$(CONFORMANCE)' -v ./workflows
	CONFORMANCE_WRITE=1 go test -short -count=1 -run TestConformanceDocument ./workflows
	@cat docs/conformance.md

histories: bin/devstack ## record a history of every path through the saga, for the replay tests; REV=revision (some minutes)
	workflows/record.sh $(REV)

# The stack of a benchmark is its own, and durable unless FSYNC=off. BENCH holds further flags: bin/bench --help.
JSON     ?= bin/bench.json
ORDERS   ?= 10000,100000,1000000
FSYNC    ?= on
MEASURED := bin/devstack exec $(if $(filter on,$(FSYNC)),--fsync) --

.PHONY: bin/bench
bin/bench: bin/devstack build
	cd tools && $(GO_BUILD) -o ../$@ ./bench

bench: bin/bench ## measure what an order costs, next to the same steps without an engine; JSON=file, BENCH="--concurrency 64"
	$(MEASURED) bin/bench --json $(JSON) $(BENCH)
	$(MEASURED) bin/bench --sheet 100 $(BENCH)

bench-api: bin/bench ## measure what a request costs the api with 10 thousand, 100 thousand and a million orders
	$(MEASURED) bin/bench --growth $(ORDERS) --concurrency 16 $(BENCH)

bench-memory: bin/bench ## measure the memory of each program while 50,000 orders are placed (half an hour)
	$(MEASURED) bin/bench --soak 50000 $(BENCH)

bench-messages: bin/devstack ## measure confirmed publishes per second with 1, 8 and 64 publishers, and the client library's maximum
	bin/devstack exec --services-only -- go test -run '^$$' -bench . ./internal/rabbitmq

# First on the stack's store, then on the server in MONGODB_URI, if that is set, in a database of its own.
bench-catalog: bin/devstack ## measure how fast the catalog sells, prices and lists up to a million products; also on MONGODB_URI
	$(MEASURED:exec=exec --services-only) go -C tools run ./catalogbench $(BENCH)
	$(if $(MONGODB_URI),go -C tools run ./catalogbench $(BENCH))

# The race detector needs a C compiler.
race-detector:
	@command -v $${CC:-gcc} >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev; }

# Prometheus's own tool checks its configuration, our alerts and our metrics. The package is not installed, which would start a
# server.
bin/promtool bin/prometheus:
	@command -v dpkg-deb >/dev/null || { echo "$@: needs Debian or Ubuntu"; exit 1; }
	@mkdir -p bin && dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && apt-get update -q >/dev/null && \
		(cd "$$dir" && apt-get download -q prometheus >/dev/null && dpkg-deb -x prometheus_*.deb .) && \
		cp "$$dir/usr/bin/prometheus" "$$dir/usr/bin/promtool" bin/

# The tests of the page and of the API documentation need a browser.
chromium:
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends chromium; }

check: race-detector ## run before a push: format, vet, linters, modules, known vulnerabilities, short tests
	tools/check.sh
	$(EACH) -short -race
