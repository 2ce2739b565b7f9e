# `make` alone lists what there is to do. What the build and the tests need is fetched by `setup` on the way.

SIZE  ?= 3
ROLE  ?= etcd
SEEDS ?= 200
CASES ?= 40000
MIB   ?= 1024
ROUNDS ?= 5
STORE ?= file
RELEASE ?= bookworm
ETCD  ?= target/tools/etcd/usr/bin/etcd
export ETCD

LOCKED := $(if $(CI),--locked)
STAGE  := scripts/stage
CARGO  := scripts/with-tools cargo
# The features of the whole workspace, so that no crate is built twice.
FAST   := --profile lab -p quorate-core -p quorate --features quorate-core/invented --lib --tests
# Whether the random worlds are good ones: half a minute, which no rule of the product changes.
SURVEYS := --skip every_kind_of_step_passes_the_gate --skip walks_come_past
# One profile for everything but what is shipped, so that the AWS SDKs compile once.
BUILD  := $(CARGO) build --profile lab --workspace --bins $(LOCKED)
LAB    := scripts/with-tools target/lab/quorate-lab

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-build setup-etcd setup-lint setup-deny binaries demo disasters test test-fast soak lint simulate bench bench-snapshot bench-idle golden etcd-3.5 \
	test-etcd-3.5 test-machine test-kube package release-binary check-packaging clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: setup-etcd binaries ## A cluster on this machine, in a simulated region (SIZE=3, ROLE=etcd, JSON=1, ETCD=/path/to/etcd)
	@$(LAB) demo --size $(SIZE) --role $(ROLE) --etcd $(abspath $(ETCD)) $(if $(JSON),--json)

disasters: setup-etcd binaries ## The seven disasters with real agents and real etcd, and a table of them (ONLY=name plays some, DOC=1 rewrites docs/disasters.md)
	@$(STAGE) disasters scripts/disasters $(ONLY)

test: setup lint binaries ## Format, lints and every test (ETCD=/path/to/etcd)
	@$(STAGE) tests scripts/run-tests $(LOCKED)

test-fast: setup-build ## While you edit: the core, the agent's units and SEEDS schedules (a minute once built)
	@$(STAGE) 'fast tests' $(CARGO) test --quiet $(FAST) $(LOCKED) -- $(SURVEYS)
	@$(STAGE) 'build of the simulator' $(CARGO) build --quiet --profile lab --workspace --bin quorate-lab $(LOCKED)
	@$(STAGE) simulation $(LAB) simulate --seeds $(SEEDS)

soak: SEEDS := 20000
soak: setup-build ## Before a release: many more worlds and schedules than a test run affords, and Debian 13's machines (SEEDS=20000, CASES=40000)
	@PROPTEST_CASES=$(CASES) $(STAGE) 'properties of $(CASES) cases' $(CARGO) test $(FAST) $(LOCKED)
	@$(STAGE) 'build of the simulator' $(CARGO) build --profile lab --workspace --bin quorate-lab $(LOCKED)
	@$(STAGE) simulation $(LAB) simulate --seeds $(SEEDS)
	@QUORATE_MACHINE_RELEASE=trixie $(STAGE) 'booted machines of trixie' scripts/test-machine

lint: setup-build setup-lint ## Format, lints, the licences of the dependencies and the links in rustdoc alone
	@$(STAGE) format $(CARGO) fmt --all --check
	@$(STAGE) scripts scripts/check-scripts
	@$(STAGE) dependencies scripts/check-dependencies $(LOCKED)
	@$(STAGE) clippy $(CARGO) clippy --profile lab --workspace --all-targets $(LOCKED) -- -D warnings
	@RUSTDOCFLAGS='-D rustdoc::broken_intra_doc_links' $(STAGE) 'links in rustdoc' $(CARGO) doc --quiet --profile lab --no-deps -p quorate-core -p quorate $(LOCKED)

simulate: binaries ## Seeded schedules in virtual time (SEEDS=200; SEED=n replays one)
	@$(LAB) simulate --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

bench: setup-etcd binaries ## The demo's timings, into target/bench/demo.json; a missed one is a failure here
	@mkdir -p target/bench
	@$(LAB) demo --strict --size $(SIZE) --etcd $(abspath $(ETCD)) --json > target/bench/demo.json
	@echo target/bench/demo.json

bench-snapshot: setup-etcd binaries ## Snapshots of 1 GiB against etcdctl's, into target/bench/snapshot.json (MIB=1024, ROUNDS=5, STORE=file; 10 GiB of disk)
	@mkdir -p target/bench
	@$(LAB) bench snapshot --mib $(MIB) --rounds $(ROUNDS) --store $(STORE) --etcd $(abspath $(ETCD)) \
		--directory target/bench --json target/bench/snapshot.json
	@echo target/bench/snapshot.json

bench-idle: setup-etcd binaries ## An agent beside 1,000 idle and 200 slow connections on each listener, into target/bench/idle.json
	@mkdir -p target/bench
	@$(LAB) bench idle --etcd $(abspath $(ETCD)) --json target/bench/idle.json
	@echo target/bench/idle.json

golden: setup-build ## Rewrite the golden files; read the difference before you commit it
	@QUORATE_UPDATE_GOLDEN=1 $(CARGO) test --profile lab -p quorate-core $(LOCKED)

etcd-3.5: ## Fetch etcd 3.5 of Debian 13 into target/tools/etcd-3.5 (DEBIAN_MIRROR=url)
	@scripts/fetch-etcd 3.5

test-etcd-3.5: ETCD := target/tools/etcd-3.5/usr/bin/etcd
test-etcd-3.5: etcd-3.5 setup-etcd binaries ## Every test, against that etcd
	@$(STAGE) 'tests with etcd 3.5' scripts/run-tests $(LOCKED)

test-machine: setup-build ## Boots machines with the package and looks how it behaves (root; SCENE=name plays some; RELEASE=trixie boots Debian 13)
	@QUORATE_MACHINE_RELEASE=$(RELEASE) $(STAGE) 'booted machines of $(RELEASE)' scripts/test-machine --show-output $(SCENE)

test-kube: setup-build ## The tests of the Kubernetes adapter and the drain on a real cluster, one node of which is drained (QUORATE_TEST_KUBECONFIG=file)
	@$(STAGE) 'a real cluster' scripts/test-kube

package: release-binary ## deb, rpm and systemd-sysext image into target/package (ETCD_DIR=dir puts etcd into the last)
	@scripts/package all --binary target/release/quorate $(if $(ETCD_DIR),--etcd $(ETCD_DIR))

release-binary: setup-build ## The agent as it is shipped, into target/release
	@$(STAGE) 'release build' $(CARGO) build --release -p quorate $(LOCKED)

# The packages are made of the binary of the tests, so that nobody who only checks them builds the SDKs a second time.
check-packaging: ## Units, catalog, Ignition, cloud-init, policies, and the packages if there is a binary
	@$(STAGE) packaging scripts/check-packaging

setup: setup-build setup-lint setup-etcd ## Fetch and check what the build and the tests need, and no more

setup-build setup-lint setup-deny setup-etcd: setup-%:
	@scripts/setup $*

binaries: setup-build
	@$(STAGE) build $(BUILD)

clean: ## Remove target/, the fetched tools included
	rm -rf target
