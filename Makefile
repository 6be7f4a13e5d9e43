# All of this needs Go and make alone; what else is needed is built from source into .bin/ when first asked for, or, for the tests, installed by deps.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO  ?= go
BIN := .bin
PKG ?= ./...

# Versions are fixed, so that a finding is the same for all.
GOLANGCI    := $(BIN)/golangci-lint-v2.15.0
STATICCHECK := $(BIN)/staticcheck-v0.8.2
GOVULNCHECK := $(BIN)/govulncheck-v1.8.0
NFPM        := $(BIN)/nfpm-v2.45.2

VERSION := $(shell git describe --tags --dirty 2>/dev/null)
LDFLAGS := -X main.version=$(VERSION)

##@ Use

.PHONY: build
build: ## Build ./farmstate
	$(GO) build -ldflags '$(LDFLAGS)' -o farmstate ./cmd/farmstate

.PHONY: run
run: build ## Build, and serve on 127.0.0.1:42424 (ARGS='--lock-wait 1s' adds options)
	./farmstate serve $(ARGS)

##@ Before a commit

.PHONY: check
check: fmt vet lint test bench-gate ## All of the next five

.PHONY: fmt
fmt: ## Fail if gofmt would change a file
	@files=$$(gofmt -l .); [ -z "$$files" ] || { printf 'gofmt -w would change:\n%s\n' "$$files" >&2; exit 1; }

.PHONY: vet
vet: ## go vet, for this system and the others that the code knows apart
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI) $(STATICCHECK) $(GOVULNCHECK) ## golangci-lint, staticcheck for Windows, known vulnerabilities
	$(GOLANGCI) run ./...
	GOOS=windows $(STATICCHECK) -checks inherit,-U1000 ./...
	@if out=$$($(GOVULNCHECK) ./... 2>&1); then echo "$$out" | tail -n 1; \
	elif echo "$$out" | grep -q 'fetching vulnerabilities'; then echo "govulncheck: NOT CHECKED: its database cannot be reached"; \
	else echo "$$out"; exit 1; fi

# Suites that run whole farms of processes, and measure them, come last and one after the other.
FARMS := /fuzz/(browser|chaos|deploy|farm|history|operate)$$

.PHONY: test
test: deps ## All tests
	@all=$$($(GO) list $(PKG)) || exit 1; \
	first=$$(echo "$$all" | grep -vE '$(FARMS)'); last=$$(echo "$$all" | grep -E '$(FARMS)'); status=0; \
	[ -z "$$first" ] || $(GO) test -shuffle=on -timeout 15m $(TESTFLAGS) $$first $(TESTARGS) || status=1; \
	[ -z "$$last" ] || $(GO) test -p 1 -shuffle=on -timeout 15m $(TESTFLAGS) $$last $(TESTARGS) || status=1; \
	exit $$status

.PHONY: bench-gate
bench-gate: ## Fail if a hot path allocates, or takes longer than its budget in bench/budgets.json
	$(GO) test -count=1 -run '^TestGate' ./bench -gate

##@ Now and then

.PHONY: race
race: deps ## All tests with the race detector (needs a C compiler)
	$(GO) test -race -shuffle=on -timeout 20m $(PKG)

SEEDS ?= 10000
.PHONY: sim
sim: ## Simulated farms under SEEDS (10000) seeds
	$(GO) test ./peer/sim -count=1 -timeout 30m -run '^TestSim(Copies)?$$' -sim.seeds=$(SEEDS)

KILLS ?= 100
SEED ?= 0
.PHONY: chaos
chaos: ## Farms with copies, in their long form: KILLS (100) kills with repair between them, freezes, cuts (SEED=n replays one)
	$(GO) test ./fuzz/chaos -count=1 -v -timeout 90m -chaos.long -chaos.kills=$(KILLS) -chaos.sessions=30000 -chaos.seed=$(SEED) $(TESTARGS)

# One target after the other: a test program fuzzes one at a time. It is built once for all targets of a package. An input that is new is made smaller ten times at
# most, where 60 s are usual: else three seconds of fuzzing would be spent on the first one. Now and then the time of a target ends while a worker is busy, and it
# fails with no input at all: then it is run once more.
FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME (30s)
	@mkdir -p $(BIN); cache=$$($(GO) env GOCACHE)/fuzz && $(GO) list -f '{{.ImportPath}} {{.Dir}}' $(PKG) >$(BIN)/fuzz.packages || exit 1; none=1; \
	while read -r pkg dir; do \
		grep -qs '^func Fuzz' "$$dir"/*_test.go || continue; \
		$(GO) test -c -fuzz . -o $(BIN)/fuzz.test "$$pkg" || exit 1; \
		names=$$(cd "$$dir" && '$(CURDIR)/$(BIN)/fuzz.test' -test.list '^Fuzz') || exit 1; \
		for name in $$names; do \
			none=; echo "== $$name ($$pkg)"; \
			fuzz() { (cd "$$dir" && '$(CURDIR)/$(BIN)/fuzz.test' -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(FUZZTIME) -test.timeout 10m \
				-test.fuzzminimizetime 10x -test.fuzzcachedir "$$cache/$$pkg") </dev/null >$(BIN)/fuzz.out 2>&1; status=$$?; cat $(BIN)/fuzz.out; return $$status; }; \
			fuzz || { ! grep -q 'Failing input' $(BIN)/fuzz.out && grep -q 'context deadline exceeded' $(BIN)/fuzz.out && echo "== $$name once more" && fuzz; } || exit 1; \
		done; \
	done <$(BIN)/fuzz.packages; \
	[ -z "$$none" ] || { echo 'no fuzz targets' >&2; exit 1; }

.PHONY: cover
cover: deps ## Statement coverage, by function in .bin/cover.txt
	@mkdir -p $(BIN)
	$(GO) test -timeout 15m -coverpkg=./... -coverprofile=$(BIN)/cover.out ./...
	$(GO) tool cover -func=$(BIN)/cover.out >$(BIN)/cover.txt
	@tail -n 1 $(BIN)/cover.txt

BENCH ?= .
COUNT ?= 1
.PHONY: bench
bench: ## Benchmarks (BENCH=regexp COUNT=n)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 60m ./bench

.PHONY: bench-compare
bench-compare: ## Processor time a request, next to Redis, memcached and a server that only answers; installs those first
	$(GO) run ./bench/compare --install $(ARGS)

##@ House

# Programs that tests run, and the Debian packages that have them. Without them, or the right to install them, the tests that need them skip themselves and say
# so; where CI is set they fail. Debian starts HAProxy as a service when it is installed, with a configuration that listens nowhere. Prometheus would listen to
# everybody: of it, only the programs are unpacked, and not what would start it.
TOOLS := haproxy:haproxy nft:nftables ip:iproute2 promtool:prometheus systemd-analyze:systemd rpm:rpm wine:wine chromium:chromium zsh:zsh fish:fish
APT   := apt-get -q -o DPkg::Lock::Timeout=300
UNSTARTED := /lib/systemd/system/prometheus.service /usr/lib/systemd/system/prometheus.service /etc/init.d/prometheus

.PHONY: deps
deps: $(NFPM) ## Install what tests need beside Go (on Debian, as root or with sudo); nothing if it is there
	@PATH="$$PATH:/usr/sbin:/sbin"; packages=; \
	for t in $(TOOLS); do command -v "$${t%%:*}" >/dev/null 2>&1 || packages="$$packages $${t#*:}"; done; \
	[ -n "$$packages" ] || exit 0; \
	if [ "$$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null 2>&1; then echo "deps: install$$packages for all of the tests" >&2; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as='sudo -n'; else \
		echo "deps: no right to install$$packages" >&2; [ -z "$$CI" ] || exit 1; exit 0; fi; \
	{ $$as $(APT) update && $$as env DEBIAN_FRONTEND=noninteractive $(APT) install -y --no-install-recommends $(UNSTARTED:%=-o Dpkg::Options::=--path-exclude=%) $$packages; } </dev/null >&2 || \
		{ echo "deps: could not install$$packages" >&2; [ -z "$$CI" ] || exit 1; }

RELEASE = $(GO) run ./cmd/farmstate/packaging/release $(if $(VERSION),--version '$(VERSION)') --out dist

.PHONY: release
release: ## Archives for all systems and their checksums in dist/; the same bytes wherever they are built (VERSION=1.2.3)
	$(RELEASE) $(ARGS)

.PHONY: packages
packages: $(NFPM) ## Packages for Debian and Red Hat in dist/ (VERSION=1.2.3)
	$(RELEASE) --targets linux/amd64,linux/arm64 --packages $(NFPM) $(ARGS)

.PHONY: clean
clean: ## Remove what this Makefile has made
	rm -rf $(BIN) dist farmstate farmstate.exe

.PHONY: help
help: ## This text
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/golangci-lint-%:
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$*,golangci-lint)

$(BIN)/staticcheck-%:
	$(call install,honnef.co/go/tools/cmd/staticcheck@$*,staticcheck)

$(BIN)/govulncheck-%:
	$(call install,golang.org/x/vuln/cmd/govulncheck@$*,govulncheck)

$(BIN)/nfpm-%:
	$(call install,github.com/goreleaser/nfpm/v2/cmd/nfpm@$*,nfpm)

# install builds package@version $(1), whose program is $(2), and gives it the name of the target.
define install
	@mkdir -p $(BIN)
	GOBIN='$(CURDIR)/$(BIN)' GOFLAGS= $(GO) install $(1)
	@mv $(BIN)/$(2) $@
endef
