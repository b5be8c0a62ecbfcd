# Two commands: `make demo` and `make test`. They need Python 3.11 or newer (pip or venv) and make;
# uv is fetched into ./.uv where the machine has none, or one too old for uv.lock.
# The same without make: `uv run unstuck demo`, `uv run poe check`.

PYTHON ?= python3
ARGS ?=
LEAST_UV := 0.9.17
SYSTEM_UV := $(shell command -v uv 2>/dev/null)
SYSTEM_UV_IS_FINE := $(shell [ -n "$(SYSTEM_UV)" ] && printf '%s\n%s\n' "$(LEAST_UV)" \
    "$$($(SYSTEM_UV) --version | cut -d' ' -f2)" | sort --version-sort --check=quiet && echo yes)
ifeq ($(SYSTEM_UV_IS_FINE),yes)
UV := $(SYSTEM_UV)
else
UV := .uv/bin/uv
endif

.PHONY: demo test bench reliability install
.DEFAULT_GOAL := demo

demo: install  ## simulate a practice, run the night, open the screens on 127.0.0.1:8501
	$(UV) run --locked unstuck demo $(ARGS)

test: install  ## every check: format, lint, layers, types, tests
	$(UV) run --locked poe check

bench: install  ## how fast, side by side, in one run
	$(UV) run --locked python benchmarks/run_all.py $(ARGS)

reliability: install  ## kill nights at random moments; laws on examples never drawn before
	$(UV) run --locked pytest -n 2 -m reliability $(ARGS)
	UNSTUCK_HYPOTHESIS=exploring $(UV) run --locked pytest -n 2 tests/models tests/pipelines/test_laws.py

install: $(UV)
	$(UV) sync --locked --quiet

# In a virtual environment where Python has venv, else with pip alone.
.uv/bin/uv:
	@echo "Fetching uv (once, into ./.uv) ..."
	@$(PYTHON) -m venv .uv 2>/dev/null && .uv/bin/python -m pip install --quiet "uv>=$(LEAST_UV)" \
	    || { rm -rf .uv && $(PYTHON) -m pip install --quiet --target .uv "uv>=$(LEAST_UV)"; }
	@test -x .uv/bin/uv
