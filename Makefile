# Everything is done by a script or a Go command that can be run alone as well: see scripts/.
SHELL := bash
export CGO_ENABLED := 0
.NOTPARALLEL:
.PHONY: help build check test ready demo down bench micro docs picture images tools clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

build: ## build proxy, scaler and loadtest into .build/bin
	go build -buildvcs=false -o .build/bin/ ./cmd/... ./loadtest

check: ## formatting, vet, staticcheck, generated documentation, scripts
	@test -z "$$(gofmt -l .)" || { gofmt -d . | head -50; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go run ./docs/gen --check
	go run ./deploy/tick/gen --check
	@! command -v shellcheck || shellcheck -x -P scripts scripts/* .ci/run deploy/images/*-entrypoint deploy/tick/influxdb-setup deploy/tick/with-password

# The longest first, and beside it those that wait more than they compute: on a machine without time to spare clients wait for seconds, and
# what is lost then says nothing of the proxy. Those that compute fill up the end.
ORDER = ./e2e ./loadtest/... ./internal/... ./e2e/outage ./cmd/scaler ./deploy/voting ./routing ./conformance ./cmd/proxy

test: ready check ## everything, against the real HAProxy, InfluxDB, Docker and swarm; none left out
	CI=true go test -count=1 -p 2 -timeout 15m $(ORDER) ./...

ready: ## what the tests need: packages, tools, engine, swarm, images
	scripts/setup
	scripts/tools
	scripts/docker
	scripts/swarm
	scripts/images

demo: ## Sluice and a sample service on this machine's swarm, under load
	scripts/demo

down: ## remove what was started from here, and nothing else
	scripts/down

bench: ## what Sluice promises, each row beside a reference: a table, and bench/results.json
	scripts/setup go haproxy wrk
	scripts/tools
	go run ./bench

micro: ## the Go benchmarks of all packages
	go test -run '^$$' -bench . -benchmem ./...

docs: ## write the generated documentation and dashboards
	go run ./docs/gen
	go run ./deploy/tick/gen

picture: ## docs/demo.png and docs/demo-dark.png, from the demo's last run
	scripts/setup go chromium
	go run ./loadtest report .build/demo-report --png docs/demo.png --charts
	go run ./loadtest report .build/demo-report --png docs/demo-dark.png --charts --dark

images: ## build the images
	scripts/images

tools: ## build InfluxDB and Telegraf into .tools/bin
	scripts/tools

clean: ## remove what was built: .build, .tools
	rm -rf .build .tools bench/tmp
