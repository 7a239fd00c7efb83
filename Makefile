# The commands of this project. `make` alone lists them.
PORT ?= 8000
PYTHON := .venv/bin/python
comma := ,

.PHONY: help demo test test-browser bench reliability lint format lock audit clean

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Start the portal with sample cases; PORT=8000, CXR_DIR=folder of X-rays to submit
	@scripts/install.sh requirements.txt
	@exec $(PYTHON) manage.py demo --port "$(PORT)" $(if $(CXR_DIR),--cxr-dir "$(CXR_DIR)")

test: ## Lint, then the whole suite on a private PostgreSQL and Redis; ARGS="cases -k intake" runs only those tests
	@scripts/install.sh requirements-test.txt
	@$(if $(ARGS),,$(MAKE) --no-print-directory lint)
	@exec $(PYTHON) scripts/with_services.py $(PYTHON) -m pytest $(or $(ARGS),--numprocesses 2 --dist loadfile)

test-browser: ## What the suite does in Chromium, alone
	@$(MAKE) --no-print-directory test ARGS=tests/browser

bench: ## Measure speed and scaling into benchmarks/results; ONLY="engines single" measures a part
	@scripts/install.sh requirements-test.txt
	@exec $(PYTHON) scripts/with_services.py $(PYTHON) -m benchmarks.run $(ONLY)

reliability: ## Bring about every fault, count what was lost or doubled; ONLY="F1,F4" runs a part, SCALE=0.05 a smaller one
	@scripts/install.sh requirements-test.txt
	@exec $(PYTHON) -m reliability --scale "$(or $(SCALE),1)" --seed "$(or $(SEED),1)" $(subst $(comma), ,$(ONLY))

lint: ## Style, import arrows, types and Dockerfiles
	@scripts/install.sh requirements-test.txt
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports
	@.venv/bin/mypy
	@.venv/bin/hadolint docker/Dockerfile

format: ## Let ruff correct style and layout
	@scripts/install.sh requirements-test.txt
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

lock: ## Write every requirements*.txt from its requirements*.in
	@scripts/install.sh requirements-test.txt
	@for lock in requirements-web requirements requirements-test requirements-gpu; do \
		echo "$$lock.in -> $$lock.txt"; \
		.venv/bin/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 $$lock.in --output-file $$lock.txt || exit 1; \
	done

audit: ## Look the locked versions up among known vulnerabilities (needs the network)
	@scripts/install.sh requirements-test.txt
	@.venv/bin/pip-audit --no-deps --disable-pip --requirement requirements.txt

clean: ## Remove what the tools leave behind, not .venv and not var/
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache .coverage htmlcov staticfiles
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
