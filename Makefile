# Variables given on the command line reach the scripts through the environment: make up POSTGRES_PORT=5433
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
STACK := local-stack/stack
# Where the jobs find the servers, on whatever ports these were started.
ENVIRONMENT := eval "$$($(STACK) env)"

.PHONY: help up down wipe status logs build demo airflow airflow-down image check test test-one test-airflow test-compose test-ui generate fmt lint

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@printf '\n  RUNNER=docker           the DAGs run the image, not the executables\n  SOURCE_SQL=dump.sql     your own database in place of Northwind\n  TLS=1                   every link of the local stack encrypted\n  NORTHWIND_SQL=dump.sql  another Northwind to load     NORTHWIND_SCALE=10  a larger one\n'
	@printf '  POSTGRES_PORT=5433 …    other ports: %s help\n' $(STACK)

up: $(if $(SOURCE_SQL),build) ## start PostgreSQL, Kafka, Connect and ClickHouse, with Northwind loaded and captured
	@$(STACK) up

down: ## stop them; the data stays
	@$(STACK) down

wipe: ## stop them and delete the data
	@$(STACK) wipe

status: ## what runs where
	@$(STACK) status

logs: ## follow the servers' logs
	@$(STACK) logs

build: ## build the jobs: bin/lockstep, and a link for each of them
	@$(STACK) install-build-deps
	cargo build --release --locked
	target/release/lockstep link bin

airflow: up build ## Airflow with the DAGs, on http://127.0.0.1:8080
	$(ENVIRONMENT) && bin/migrate > /dev/null
	@local-stack/airflow up

airflow-down: ## stop Airflow; the servers go on
	@local-stack/airflow down

image: ## build the jobs' image, lockstep (where no registry can be reached, also its base images)
	@local-stack/docker build

demo: up build ## all tables from PostgreSQL to ClickHouse, and the proof that nothing is missing
	@local-stack/demo

check: ## format, style and the tests that need no server: seconds, once the crates are built
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked --lib -q

test-one: up ## one test, or one file of them: make test-one T=crash
	$(ENVIRONMENT) && cargo test --locked --test it $(T) -- --test-threads 4

test: up build lint ## every check and test, on the running servers
	$(ENVIRONMENT) && tests/run
	airflow/tests/run

test-airflow: build ## the tests of the DAGs alone
	airflow/tests/run

test-compose: ## docker-compose.yml, started whole (builds Docker Compose and stand-ins for its images: ten minutes)
	compose/tests/run

test-ui: airflow ## the trigger form in a browser (Chromium); its screenshot is docs/airflow.png
	@airflow/tests/ui/run

generate: ## write what follows from pipelines/northwind.toml: DDL, connector, grants, lists of jobs
	cargo run --locked -q -- --pipeline pipelines/northwind.toml generate

fmt: ## format the code
	cargo fmt
	@local-stack/airflow install
	.stack/downloads/airflow/bin/ruff format -q --config airflow/ruff.toml airflow compose

lint: ## format and style, without changing anything
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings
	@local-stack/airflow install
	.stack/downloads/airflow/bin/ruff check -q --config airflow/ruff.toml airflow compose
	.stack/downloads/airflow/bin/ruff format -q --check --config airflow/ruff.toml airflow compose
