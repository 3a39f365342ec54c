# Munjigi. `make run` shows it, `make test` tests it, `make help` lists the rest.
# Both install what a fresh Debian machine lacks; Go 1.26 is all they expect.

GO       ?= go
ARGS     ?=
FUZZTIME ?= 30s
# A C compiler and ALSA: for the loudspeaker and the race detector.
NEED     := gcc libc6-dev pkg-config libasound2-dev
# A PostgreSQL that the registry's tests start for themselves.
NEED_DB  := postgresql
# A browser that drives the pages, and letters for its pictures.
NEED_WEB := chromium fonts-nanum

.DEFAULT_GOAL := help
.PHONY: help run test test-arm64 build lint vuln fuzz bench bench-long golden prove vectors prompts test-opencv bench-qr hil hil-long packages packages-twice image image-test need need-db need-web clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

need:
	@.ci/need $(NEED)
	@command -v $(GO) >/dev/null || { echo "need: install Go 1.26 or newer from go.dev/dl and put it on PATH" >&2; exit 1; }

run: need ## the whole line with virtual visitors; CAMERA=/dev/video0 for real ones; ARGS='-visitors 5 -exit'
	@$(GO) build -o bin/demo ./cmd/demo
	@bin/demo $(ARGS)

build: need ## kiosk, registry and issuer in bin/
	$(GO) build -trimpath -o bin/ ./cmd/kiosk ./cmd/registry ./cmd/issuer

need-db:
	@.ci/need $(NEED_DB)

need-web:
	@.ci/need $(NEED_WEB)
	@command -v npm >/dev/null || .ci/need npm
	@.ci/axe

test: need need-db need-web lint ## everything that must hold
	$(GO) test -race -timeout 20m ./...
	$(GO) test -timeout 10m ./display -run TestLegible
	CGO_ENABLED=0 $(GO) build ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./...
	GOOS=linux GOARCH=arm GOARM=7 CGO_ENABLED=0 $(GO) build ./...
	$(GO) test -run '^$$' -bench . -benchtime 1x ./pass/... ./uplink/... ./reader/... ./display/... ./registry/... >/dev/null

test-arm64: need need-db need-web ## the tests of an arm64 build under QEMU's user emulation (an hour and a half)
	@.ci/need qemu-user-static
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) test -p 1 -timeout 90m -exec qemu-aarch64-static ./...

lint: need ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; echo "run gofmt -w on these files" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

vuln: ## govulncheck, where its database can be reached
	$(GO) tool govulncheck ./...

fuzz: need ## every fuzz target for FUZZTIME (30s)
	@.ci/fuzz $(FUZZTIME)

prove: need ## the long proofs: a million mutated passes, 200 kills of the daemon, 100,000 visits of a month offline
	$(GO) test -timeout 20m ./pass -run TestMutations -mutations 1000000 -v
	$(GO) test -timeout 30m ./cmd/kiosk -run TestKill -kills 200 -v
	$(GO) test -timeout 30m ./cmd/internal/device -run TestMonthAlone -queue 100000 -v

test-opencv: ## cameras through OpenCV (build tag opencv; installs libopencv-dev)
	@.ci/need $(NEED) g++ ffmpeg libopencv-dev gstreamer1.0-tools gstreamer1.0-plugins-base
	$(GO) test -tags opencv,gocv_specific_modules,gocv_videoio ./reader/camera/...

bench: need ## measure; ends with lines "bench: NAME VALUE UNIT"
	@$(GO) build -o bin/ ./cmd/kiosk
	@$(GO) run ./cmd/internal/bench -kiosk bin/kiosk
	@$(GO) run ./issuer/bench
	@.ci/need $(NEED_DB)
	@$(GO) run ./cmd/internal/load
	@hil/run.sh latency

bench-long: need need-db ## what a visit costs the registry among 1 and 50 million (20 GB of disk, half an hour)
	@$(GO) run ./cmd/internal/load -growth 1000000,50000000

bench-qr: need ## what the reader reads beside its peers; DATA=folder with pictures and .txt files (needs Node with npm)
	@.ci/need g++ libzbar-dev libzxing-dev
	@reader/qr/bench/peers/build bin/peers
	@$(GO) run ./reader/qr/bench $(if $(DATA),-data $(DATA)) $(ARGS)

hil: need ## the daemon on a whole virtual device: camera, sound card, screen, GPIO
	@hil/run.sh

hil-long: need ## 300 power cuts, 1,000 replayed ones, every fault, 100 × unplugged, 1,000 visitors: an hour and more
	@HIL_LIMIT=14400 HIL_CUTS=300 HIL_REPLAYS=1000 HIL_FAULTS=all HIL_REPLUGS=100 HIL_SOAK=1000 hil/run.sh devices systemd faults replug cuts replay soak

packages: need ## .deb packages for amd64 and arm64 in out/packages
	@image/packages/build.sh

packages-twice: need ## the same, and once more from a clone elsewhere: not a byte may differ
	@image/packages/build.sh -twice

image: need ## the flashable image and the update bundle in out/image (root; Debian for arm64 is fetched once)
	@image/build.sh

image-test: need ## boot that image under QEMU: a pass, an update, a rollback, CUTS=3 pulled plugs (half an hour; root)
	@image/test.sh $(or $(CUTS),3)

golden: need ## write golden files anew; look at them before you commit
	$(GO) test ./pass ./display ./reader/camera/virtual -update

vectors: ## pass vectors by an independent implementation, and its check of ours (needs Node)
	cd pass/testdata/independent && npm ci --ignore-scripts && npm run make && npm run check

prompts: ## speak the prompts anew (espeak-ng)
	@.ci/need espeak-ng sox ffmpeg
	audio/prompts/make.sh

clean: ## remove what was built
	rm -rf bin out
