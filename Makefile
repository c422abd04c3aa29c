# What a person or CI runs. CGO is off once and everywhere, so one build cache serves all of it.
export CGO_ENABLED := 0
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
GO ?= go
BIN := bin/rollcall

.PHONY: all build deps console demo test test-fast test-go test-console test-browser bench bench-large lint fmt fuzz hunt kills races soak scenarios screenshots release test-release clean

all: build

build: console ## the binary with the web app in it
	$(GO) build -ldflags '-s -w' -o $(BIN) ./cmd/rollcall

deps: ## install what the tests run against: slapd, PostgreSQL, Chromium, fonts
	./deploy/deps.sh

console: console/dist/index.html ## build the web app

console/dist/index.html: console/package-lock.json $(shell find console/src console/index.html console/vite.config.ts -type f 2>/dev/null)
	cd console && npm ci --no-audit --no-fund && npm run build

demo: build ## the demo company on 127.0.0.1:8480
	$(BIN) demo

test: deps console lint test-console test-browser test-release test-go scenarios ## everything, on both databases and real servers

test-fast: ## unit tests and stories on SQLite, under five minutes
	$(GO) test -short ./...

# What lands is held beside the same draws each time; make hunt draws anew.
test-go: export RAPID_SEED ?= 20261123
test-go:
	$(GO) test -timeout 45m ./...

TIMES ?= 5
hunt: ## every test that draws at random, TIMES over, each time with other draws
	@for package in $$($(GO) list ./...); do \
	  tests=$$(grep -lE 'rapid\.Check|drawn\(t\)' $$($(GO) list -f '{{$$d := .Dir}}{{range .TestGoFiles}}{{$$d}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$d}}/{{.}} {{end}}' $$package) /dev/null | xargs -r grep -ho '^func Test[A-Za-z0-9_]*' | sed 's/func //' | paste -sd'|' -); \
	  test -z "$$tests" || $(GO) test -count=$(TIMES) -timeout 0 -run "^($$tests)$$" $$package || exit 1; \
	done

test-release: build ## packages of the binary: put on, upgraded and taken off again
	cd deploy/release && $(GO) vet ./... && $(GO) test ./...

test-browser: build ## through every page of a demo company, in both languages, in a real browser
	./console/dev/with-demo.sh walk.mjs

test-console: console
	cd console && npm run check && npm test

# The comparison is between equals in number: scimmy-routers writes every person out for each page.
bench-large: build ## the figures of SCIM at 100,000 people, about an hour on 2 cores
	$(GO) test -run '^$$' -bench SCIM -benchtime 1x -timeout 0 ./cmd/rollcall -people 100000
	$(GO) test -run '^$$' -bench Beside -benchtime 1x -timeout 0 ./cmd/rollcall -people 20000

bench: build ## the figures of docs/performance.md
	$(GO) test -run '^$$' -bench . -benchtime 1x ./internal/... ./policies/... ./directory/... ./authz/... ./chat/... ./provisioning/... ./cmd/...

lint: ## formatting, vet, staticcheck and the project's own rules
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'not formatted: make fmt'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -run 'TestLayers|TestBorders|TestOnePackageComment|TestNoForeignWords' .

fmt:
	gofmt -w .

FUZZTIME ?= 10m
fuzz: ## each fuzz target for FUZZTIME
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done

KILLS ?= 500
kills: ## kill the server KILLS times under writing clients, on either database
	$(GO) test -count=1 -timeout 0 -run TestKilledAnywhere -v ./cmd/rollcall -kills $(KILLS)

REVOCATIONS ?= 10000
QUARRY ?= 20
WITHIN ?= 0
races: ## REVOCATIONS offboardings in races on one node and on three in every trouble, QUARRY a round, no round begun later than WITHIN; and that what is looked for is seen
	$(GO) test -count=1 -timeout 0 -run '^$$' -bench Races -benchtime 1x ./cmd/rollcall -races $(REVOCATIONS)
	$(GO) test -count=1 -timeout 0 -run 'TestHunt$$' -v ./cmd/rollcall -hunts $$(( ($(REVOCATIONS) + $(QUARRY) - 1) / $(QUARRY) )) -quarry $(QUARRY) -hunting $(WITHIN)
	$(GO) test -count=1 -timeout 0 -run TestHuntSeesForgedWords -v ./cmd/rollcall -forged 400

SOAK ?= 30m
soak: ## a server under load for SOAK on each database: memory, goroutines and descriptors stay as they are
	$(GO) test -count=1 -timeout 0 -run 'TestSoak$$' -v ./cmd/rollcall -soak $(SOAK)

# What is released is named by its tag; what has none, by its commit's day and name. The same commit gives the same bytes.
VERSION ?= $(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || git log -1 --format='v0.0.0-%cd.g%h' --date=format:%Y%m%d --abbrev=12)
release: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
release: console ## archives, Debian and RPM packages, checksums, bill of materials and notices, in bin/release
	@test -z "$$(git status --porcelain --untracked-files=no)" || { git status --short; echo 'not committed: a release is of a commit'; exit 1; }
	rm -rf bin/release
	for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.release=$(VERSION)' -o bin/release/$$arch/rollcall ./cmd/rollcall || exit 1; \
	done
	cd deploy/release && $(GO) run . -root ../.. -version $(VERSION) -at $$SOURCE_DATE_EPOCH -out ../../bin/release \
	  -binary amd64=../../bin/release/amd64/rollcall -binary arm64=../../bin/release/arm64/rollcall
	rm -r bin/release/amd64 bin/release/arm64
	ls -l bin/release

scenarios: ## every number of the specification with the test that holds it
	$(GO) test -count=1 -run TestScenarios -v . | grep -v '^=== RUN'

screenshots: build ## pictures of every page in both languages
	OUT=$${OUT:-console/dev/shots} ./console/dev/with-demo.sh screenshots.mjs

clean:
	rm -rf bin console/dist/* console/node_modules
