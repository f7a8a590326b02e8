# `make` lists what there is. Needs Python 3.11 to 3.13 and make, nothing else.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# pip has compiled what it installed; with ours a first start need not, 0.1 s of it.
COMPILE := $(PY) -m compileall -q digitsite recognizer mlcore

.DEFAULT_GOAL := help
.PHONY: help run worker test test-services test-long simulate check train experiments evaluate study card notebook bench-page bench-stores admin screenshots messages lock wheels audit sbom bench-growth bench-training bench-pilots bench-step soak bench bench-peers

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/serve.stamp ## serve the site on http://127.0.0.1:8000 (HOST, PORT)
	@exec $(PY) manage.py serve --worker

worker: $(VENV)/all.stamp ## train in the background what the admin has put into the queue
	@$(PY) manage.py prepare
	@exec $(PY) manage.py work

test: $(VENV)/all.stamp ## run all tests: unit, API, MNIST and browser
	@$(PY) -m recognizer.tests.browser.chromium
	@$(PY) -m mlcore.data
	@$(PY) -m pytest $(ARGS)

test-services: $(VENV)/all.stamp ## run what talks to services on PostgreSQL and Redis
	@$(PY) -m mlcore.data
	@$(PY) -m recognizer.tests.services $(ARGS)

test-long: $(VENV)/all.stamp ## run the tests that take long: killed trainings and web processes, the notebook
	@$(PY) -m mlcore.data
	@$(PY) -m pytest -m long $(ARGS)

simulate: $(VENV)/all.stamp ## show that corrections make it better: needs PEN_DIR
	@$(PY) -m mlcore.data
	@PYTHONPATH=clients/python/src $(PY) -m recognizer.tests.simulate $(ARGS)

check: $(VENV)/all.stamp ## lint, security lint, types, migrations
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive .
	@$(PY) -m mypy
	@$(PY) manage.py makemigrations --check --dry-run
	@$(PY) manage.py check

train: $(VENV)/all.stamp ## train a bundle on MNIST into var/bundles (ARGS="--seed 2")
	@$(PY) -m mlcore.train $(ARGS)

evaluate: $(VENV)/all.stamp ## judge the shipped bundle, or the one BUNDLE names, with a report
	@$(PY) -m mlcore.evaluate $(ARGS)

experiments: $(VENV)/all.stamp ## try optimisers, rates, batches, activations, layers; resumable (1 h)
	@$(PY) -m mlcore.experiments $(ARGS)

study: $(VENV)/all.stamp ## train every recipe with three seeds, two at once; resumable (3 h)
	@$(PY) -m mlcore.study $(ARGS)

card: $(VENV)/all.stamp ## judge the shipped bundle and write docs/model-card.md
	@$(PY) -m mlcore.card $(ARGS)

bench-step: $(VENV)/all.stamp ## say where the time of the fast recipe's steps goes (8 min)
	@$(PY) -m mlcore.data
	@$(PY) -m bench.step

bench-pilots: $(VENV)/all.stamp ## change one thing of the fast recipe at a time; resumable (20 min)
	@$(PY) -m mlcore.data
	@$(PY) -m bench.pilots $(ARGS)

notebook: $(VENV)/all.stamp ## execute notebooks/how-the-model-is-made.py, outputs beside it (minutes)
	@$(PY) -m mlcore.data
	@$(PY) -m notebooks.execute $(ARGS)

soak: $(VENV)/all.stamp ## send twice what the site can take, for 30 minutes (ARGS="--minutes 2")
	@$(PY) -m bench.soak $(ARGS)

bench: $(VENV)/all.stamp ## measure the server against its peers and its limits (needs wrk and bench-peers)
	@$(PY) -m bench.server $(ARGS)

bench-peers: $(VENV)-peers/peers.stamp ## install the peers of the benchmark, in .venv-peers

bench-page: $(VENV)/all.stamp ## measure the pages in a browser: paint, bytes, time to the answer
	@$(PY) -m recognizer.tests.browser.chromium
	@$(PY) -m bench.page

bench-stores: $(VENV)/all.stamp ## measure what each durability and each part of a large site costs
	@$(PY) -m bench.stores

bench-growth: $(VENV)/all.stamp ## measure pages at 10 million drawings against 10 thousand (half an hour, 12 GB)
	@$(PY) -m bench.growth $(ARGS)

bench-training: $(VENV)/all.stamp ## train the fast recipe beside Keras' own example, five seeds; resumable
	@$(PY) -m bench.training $(ARGS)

admin: $(VENV)/serve.stamp ## make a superuser for /admin/
	@$(PY) manage.py prepare
	@$(PY) manage.py createsuperuser

screenshots: $(VENV)/all.stamp ## take the pictures in docs/images anew
	@$(PY) -m recognizer.tests.browser.chromium
	@$(PY) -m recognizer.tests.browser.screenshots

messages: $(VENV)/all.stamp ## gather what the pages say in locale/, and compile (needs gettext)
	@$(PY) manage.py makemessages --locale de --no-location --no-obsolete --ignore '.venv' --ignore var
	@$(PY) manage.py compilemessages --locale de --ignore '.venv'

lock: $(VENV)/all.stamp ## pin requirements/*.in anew into requirements/*.txt
	@for layer in serve train dev; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --generate-hashes --upgrade requirements/$$layer.in -o requirements/$$layer.txt || exit 1; done
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	  --upgrade bench/peers/requirements.in -o bench/peers/requirements.txt

wheels: $(VENV)/all.stamp ## show that every pin has a wheel for each Python we name
	@for version in 3.11 3.12 3.13; do \
	  $(VENV)/bin/uv pip install --dry-run --quiet --no-deps --only-binary :all: \
	    --require-hashes --python-version $$version --python-platform x86_64-manylinux_2_28 \
	    --target $(VENV)/nowhere -r requirements.txt || exit 1; \
	  echo "Python $$version: each of $$(grep -ho '^[a-z][^ ]*==[^ ]*' requirements/*.txt | sort -u | wc -l) pins has a wheel."; done

audit: $(VENV)/all.stamp ## ask PyPI for known vulnerabilities of every pin (needs its service)
	@for layer in serve train dev; do \
	  $(PY) -m pip_audit --strict --disable-pip --require-hashes --progress-spinner off \
	    -r requirements/$$layer.txt || { \
	  echo "The pins of $$layer.txt are not known to be safe: a vulnerability is named above, or the service did not answer for every pin. Nothing was passed."; \
	  exit 1; }; done

sbom: $(VENV)/all.stamp ## print what the site is made of, as CycloneDX (ARGS=serve)
	@$(PY) deploy/sbom.py $(ARGS)

$(PY):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Digitsite needs Python 3.11, 3.12 or 3.13, and %s is %d.%d: name another one, such as make run PYTHON=python3.12" % (sys.executable, *v))'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make an environment: install your system's package python3-venv."; exit 1; }

$(VENV)/serve.stamp: requirements/serve.txt | $(PY)
	@echo "Installing what serving needs (about 400 MB, once) ..."
	@$(PIP) --require-hashes -r requirements/serve.txt
	@$(COMPILE)
	@touch $@

$(VENV)/all.stamp: requirements.txt requirements/serve.txt requirements/train.txt requirements/dev.txt | $(PY)
	@echo "Installing what training and tests need (about 2 GB, once) ..."
	@$(PIP) --require-hashes -r requirements.txt
	@$(COMPILE)
	@touch $@ $(VENV)/serve.stamp

$(VENV)-peers/peers.stamp: bench/peers/requirements.txt | $(PY)
	@echo "Installing what the peers need (about 2 GB, once) ..."
	@$(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
