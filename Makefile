# One recipe for a bare Linux machine: python3 (3.11-3.13), pip and make. `make demo` and `make test` do all set-up by themselves.
# Choose an interpreter with PY=..., for example `make test PY=python3.12`.

PYTHONS := $(if $(PY),$(PY),python3 python3.13 python3.12 python3.11)
UV_VERSION := 0.13.9
UV := .bootstrap/bin/uv
BIN := .venv/bin
READY := .venv/.ready
WORKERS := 2

export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check slow verify bench peers compare docs lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## simulate the crash of 10 October 2025, print the summary and the path of the report
	@$(BIN)/waxline demo

test: $(READY) ## run the tests, without the slow ones
	@$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder

check: $(READY) ## lint, formatting, types and the guards of the house rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_house.py

slow: $(READY) ## run the slow tests
	@$(BIN)/python -m pytest -n $(WORKERS) -m slow

verify: $(READY) ## hold the program against published and closed-form results, with figures in runs/verify
	@$(BIN)/waxline verify --figures runs/verify

bench: $(READY) ## measure the kernels: SIZE=small, medium or large, CASES=names (all without); results in benchmarks/results
	@$(BIN)/python benchmarks/run.py $(CASES) --size $(or $(SIZE),medium)

peers: $(READY) ## give the same work to waxline and to what others use, in an environment of its own: SIZE=small or medium
	@$(BIN)/python benchmarks/peers/run.py --size $(or $(SIZE),medium)

compare: $(READY) ## compare two result files of a benchmark: A=FILE B=FILE; exit status 1 where B is slower
	@$(BIN)/python benchmarks/compare.py $(A) $(B)

docs: $(READY) ## run the commands shown in the documents and write their output and picture there
	@$(BIN)/python docs/refresh.py

lock: .bootstrap/.uv ## choose versions anew and write requirements.lock: hashes, no addresses
	@env -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	  $(UV) pip compile -q --no-config --no-emit-index-url --no-emit-find-links --no-annotate --universal --upgrade \
	  --generate-hashes --group dev --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean: ## remove the environment and the caches; runs and results stay
	@rm -rf .venv .bootstrap .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build benchmarks/peers/.venv
	@find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# uv goes into its own folder: neither PEP 668 nor a missing ensurepip can forbid that. Where it cannot be had, pip does the same.
.bootstrap/.uv:
	@for py in $(PYTHONS); do \
	  $$py -m pip install -qq --no-deps --upgrade --target .bootstrap "uv==$(UV_VERSION)" && break; \
	done; $(UV) --version >/dev/null && touch $@

$(READY): requirements.lock pyproject.toml
	@set -e; chosen=; \
	for py in $(PYTHONS); do \
	  if $$py -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then \
	    chosen=$$($$py -c 'import sys; print(sys.executable)'); break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "waxline needs Python 3.11, 3.12 or 3.13; none of these is one: $(PYTHONS). Give one with PY=/path/to/python3.12" >&2; exit 2; fi; \
	echo "setting up .venv with $$chosen (first time only)" >&2; \
	[ -x $(UV) ] || "$$chosen" -m pip install -qq --no-deps --target .bootstrap "uv==$(UV_VERSION)" 2>/dev/null || true; \
	if $(UV) venv -q --clear -p "$$chosen" .venv 2>/dev/null \
	  && $(UV) pip sync -q --require-hashes --compile-bytecode -p $(BIN)/python requirements.lock \
	  && $(UV) pip install -q --no-deps -p $(BIN)/python -e .; then :; \
	else \
	  echo "uv cannot be had, or cannot reach an index: setting up with pip" >&2; \
	  rm -rf .venv; "$$chosen" -m venv --without-pip .venv; \
	  "$$chosen" -m pip --python $(BIN)/python install -qq --require-hashes --compile -r requirements.lock; \
	  echo "$(CURDIR)/src" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/waxline.pth"; \
	  printf '#!/bin/sh\nexec "%s" -m waxline "$$@"\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/waxline; \
	  chmod +x $(BIN)/waxline; \
	fi; \
	touch $@
