# `make` lists what there is. Needs Python 3.11 to 3.13 and make, nothing else.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# pip has compiled what it installed; with ours a first start need not, 0.1 s of it.
COMPILE := $(PY) -m compileall -q digitsite recognizer mlcore

.DEFAULT_GOAL := help
.PHONY: help run worker test test-all test-services check train evaluate study notebook bench admin docs lock vendor

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/serve.stamp ## serve the site on http://127.0.0.1:8000 (HOST, PORT)
	@exec $(PY) manage.py serve --worker

worker: $(VENV)/all.stamp ## train in the background what the admin has put into the queue
	@$(PY) manage.py prepare
	@exec $(PY) manage.py work

admin: $(VENV)/serve.stamp ## make a superuser for /admin/
	@$(PY) manage.py prepare
	@$(PY) manage.py createsuperuser

test: $(VENV)/all.stamp ## run the tests: unit, API, MNIST and browser
	@$(PY) -m tools.browser
	@$(PY) -m mlcore.training.data
	@$(PY) -m pytest --cov --cov-report=term:skip-covered $(ARGS)

test-all: $(VENV)/all.stamp ## run the long tests too (ARGS=--full: at full length, hours)
	@$(PY) -m tools.browser
	@$(PY) -m mlcore.training.data
	@$(PY) -m pytest -m "not services" $(ARGS)

test-services: $(VENV)/all.stamp ## run what uses the database on PostgreSQL and Redis
	@$(PY) -m mlcore.training.data
	@tools/services.sh $(PY) -m pytest --numprocesses=0 -m "not long and not sqlite" recognizer \
	  --ignore recognizer/tests/browser --ignore recognizer/tests/test_javascript.py $(ARGS)

check: $(VENV)/all.stamp ## lint, security lint, types, migrations
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive .
	@$(PY) -m mypy
	@$(PY) manage.py makemigrations --check --dry-run
	@$(PY) manage.py check

train: $(VENV)/all.stamp ## train a bundle on MNIST into var/bundles (ARGS="--seed 2")
	@$(PY) -m mlcore.training.train $(ARGS)

evaluate: $(VENV)/all.stamp ## judge the shipped bundle, or the one BUNDLE names, with a report
	@$(PY) -m mlcore.judging.evaluate $(ARGS)

study: $(VENV)/all.stamp ## train every recipe with three seeds; resumable (3 h)
	@$(PY) -m mlcore.judging.study $(ARGS)

notebook: $(VENV)/all.stamp ## execute notebooks/how-the-model-is-made.py, outputs beside it (minutes)
	@$(PY) -m mlcore.training.data
	@$(PY) -m notebooks.execute $(ARGS)

bench: $(VENV)/all.stamp $(VENV)-peers/peers.stamp ## measure the server against a peer (needs wrk; 10 min)
	@$(PY) -m bench.server $(ARGS)

docs: $(VENV)/all.stamp ## generate the model card, openapi.yaml, screenshots, messages (needs gettext)
	@$(PY) -m mlcore.judging.card
	@$(PY) manage.py spectacular --file docs/openapi.yaml
	@$(PY) -m tools.browser
	@$(PY) -m tools.screenshots
	@$(PY) manage.py makemessages --locale de --no-location --no-obsolete --ignore '.venv*' --ignore var
	@$(PY) manage.py compilemessages --locale de --ignore '.venv*'

lock: $(VENV)/all.stamp ## pin requirements/*.in into requirements/*.txt, with a wheel for each Python
	@for layer in serve train formats cluster dev; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --generate-hashes --upgrade requirements/$$layer.in -o requirements/$$layer.txt || exit 1; done
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	  --upgrade bench/peers/requirements.in -o bench/peers/requirements.txt
	@for version in 3.11 3.12 3.13; do \
	  $(VENV)/bin/uv pip install --dry-run --quiet --no-deps --only-binary :all: \
	    --require-hashes --python-version $$version --python-platform x86_64-manylinux_2_28 \
	    --target $(VENV)/nowhere -r requirements.txt || exit 1; \
	  echo "Python $$version: each pin has a wheel."; done

vendor: $(VENV)/all.stamp ## fetch the runtime of the reader in the page (ARGS=2.6.0; needs npm)
	@$(PY) -m tools.vendor $(ARGS)

$(PY):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Digitsite needs Python 3.11, 3.12 or 3.13, and %s is %d.%d: name another one, such as make run PYTHON=python3.12" % (sys.executable, *v))'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make an environment: install your system's package python3-venv."; exit 1; }

$(VENV)/serve.stamp: requirements/serve.txt | $(PY)
	@echo "Installing what serving needs (about 400 MB, once) ..."
	@$(PIP) --require-hashes -r requirements/serve.txt
	@$(COMPILE)
	@touch $@

$(VENV)/all.stamp: requirements.txt requirements/serve.txt requirements/train.txt requirements/formats.txt requirements/dev.txt | $(PY)
	@echo "Installing what training and tests need (about 2 GB, once) ..."
	@$(PIP) --require-hashes -r requirements.txt
	@$(COMPILE)
	@touch $@ $(VENV)/serve.stamp

$(VENV)-peers/peers.stamp: bench/peers/requirements.txt | $(PY)
	@echo "Installing what the peer of the benchmark needs (once) ..."
	@$(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
