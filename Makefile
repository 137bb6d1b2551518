# Every verb sets up what it needs by itself: Rust, Python ≥ 3.11 and make are enough.
# CI runs these verbs, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock
NATIVE := $(VENV)/.native
TOOLS := $(VENV)/.tools
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help setup demo dev check test rust-tests-built test-rust test-python bench bench-full bench-hooks bench-hooks-full bench-storage bench-authentication bench-rules bench-web bench-store crash fuzz format docs screenshots clean

help:  ## show the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(NATIVE) $(TOOLS)  ## make the virtual environment, build the extension, install the tools for development

demo: $(NATIVE)  ## run the main job on recorded data; it ends by itself
	$(BIN)/python examples/tank.py

dev: $(NATIVE)  ## run examples/01_hello.py and restart it on every save
	$(BIN)/hookmq dev examples/01_hello.py

test: setup  ## everything: lints, types, Rust tests, Python tests
	@$(MAKE) --no-print-directory --output-sync=target -j2 check rust-tests-built
	@$(MAKE) --no-print-directory test-rust test-python

check: setup  ## formats, lints, types, the direction of dependencies, generated pages
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m mypy.stubtest hookmq._hookmq
	$(BIN)/lint-imports
	$(BIN)/python tools/reference.py --check
	$(BIN)/python tools/conformance.py --check
	cargo fmt --manifest-path tests/clients/rumqttc/Cargo.toml --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path bench/load/Cargo.toml --check
	cargo fmt --manifest-path bench/rmqtt/Cargo.toml --check
	$(BIN)/python tools/instructions.py
	$(BIN)/python tools/audit.py

rust-tests-built: setup
	cargo test --workspace --quiet --no-run

test-rust: setup  ## Rust tests
	cargo test --workspace --quiet

test-python: setup  ## Python tests; tools/system.sh installs the real clients they use, where it may
	@tools/system.sh
	@$(BIN)/python -c 'import ldap' 2>/dev/null || $(PIP) --group ldap || echo "  python-ldap: its tests are left out" >&2
	@tools/foreign.sh
	$(BIN)/python tools/tests.py

bench: setup  ## what a message costs, beside mosquitto and nats-server; some minutes
	@bench/setup.sh
	$(BIN)/python -m bench.speed

bench-full: setup  ## all tables, beside four more brokers; an hour
	@bench/setup.sh all
	$(BIN)/python -m bench.speed --full

bench-hooks: setup  ## what hooks cost, beside paho clients and an engine without hooks; some minutes
	@bench/setup.sh
	$(BIN)/python -m bench.hooks

bench-hooks-full: setup  ## the same with more rounds and more messages; half an hour
	@bench/setup.sh
	$(BIN)/python -m bench.hooks --full

bench-storage: setup  ## messages into databases, beside a paho consumer on mosquitto; four minutes
	@tools/system.sh
	@bench/setup.sh
	$(BIN)/python -m bench.storage

bench-authentication: setup  ## connects a second with each authentication service; two minutes
	@tools/system.sh
	@$(BIN)/python -c 'import ldap' 2>/dev/null || $(PIP) --group ldap
	$(BIN)/python -m bench.authentication

bench-rules: setup  ## what rules cost, beside a hook in Python with the same condition; three minutes
	$(BIN)/python -m bench.rules

bench-web: setup  ## what the dashboard and the API cost; five minutes
	@tools/system.sh
	@tools/foreign.sh
	$(BIN)/python -m bench.web

bench-store: setup  ## what it costs to lose nothing, beside mosquitto and nats-server; three minutes
	@bench/setup.sh
	$(BIN)/python -m bench.store

crash: setup  ## the long form of the tests of durability: 500 kills, 1 million messages found again, 10 million through queues
	@tools/system.sh
	HOOKMQ_TEST_LONG=1 $(BIN)/python -m pytest tests/durability

fuzz: setup  ## fuzz every target for FUZZ_SECONDS each (600); needs a nightly toolchain
	@$(PIP) --group fuzz
	fuzz/run

format: setup  ## format everything
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

screenshots: setup  ## take the pictures of the dashboard in docs/images again; two minutes
	@tools/system.sh
	@tools/foreign.sh
	$(BIN)/python tools/screenshots.py

docs: setup  ## write the generated pages of the documentation
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/conformance.py

clean:  ## remove what was built
	rm -rf $(VENV) target

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "HookMQ needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@command -v cargo >/dev/null || { echo "HookMQ needs Rust: https://rustup.rs"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# The extension is built into the source tree, so that Python files are used as they are.
$(NATIVE): $(VENV)/bin/python pyproject.toml $(RUST)
	@tools/with-progress "build tool" $(PIP) 'pip>=25.1' 'maturin>=1.16,<2'
	@tools/with-progress "native extension" $(BIN)/maturin develop --release
	@touch $@

$(TOOLS): pyproject.toml | $(NATIVE)
	@tools/with-progress "tools for development" $(PIP) --group tools
	@touch $@
