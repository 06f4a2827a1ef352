# make demo    sets everything up and watches a simulated farm (SECONDS=90, PRINTERS=4)
# make test    sets everything up and passes the tests
# make check   ruff, mypy strict, import-linter
# make bench   measures; writes bench/results.json
# make sim-sheet  draws the simulator's faults, confounders and farms: out/sim-sheet.png
# make evaluate  measures the detector on simulated prints, which it makes first (hours; QUICK=1: a tenth of
#                them), and on real images; writes bench/accuracy.json and out/accuracy.html
# make surface-table  trains what docs/findings.md says of surfaces; hours, and goes on where it was stopped
# make printability-table  trains what docs/findings.md says of printability; half a day, and goes on likewise
# make fuzz    looks for inputs that crash a parser (FUZZ_SECONDS=60)

PYTHON ?= python3
SECONDS ?= 90
PRINTERS ?= 4
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/peers/.ready
FUZZ := $(VENV)/.fuzz
FUZZ_SECONDS ?= 60

.PHONY: demo test check sim-sheet evaluate surface-table printability-table bench fuzz clean setup peers

setup: $(READY)

# torch comes first and by its exact version: anything looser may fetch a build for other hardware.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"found Python {v[0]}.{v[1]}, expected 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,fast,train,kafka]'
	touch $(READY)

demo: $(READY)
	$(BIN)/nozzlewatch demo --seconds $(SECONDS) --printers $(PRINTERS)

# The servers that tests talk to. What cannot be had is said, and its tests are skipped: see .ci/peers.
peers: $(PEERS)

$(PEERS): .ci/peers | $(READY)
	PYTHON=$(BIN)/python .ci/peers

# Three at a time on two cores: tests wait for a quarter of their time.
test: $(READY) $(PEERS)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=40

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Pictures of every fault and every confounder, with real frames beside where the data is there.
sim-sheet: $(READY)
	$(BIN)/python -m bench.sim_sheet

# Goes on where it was stopped. Real images are measured where NOZZLEWATCH_DATA has them.
evaluate: $(READY)
	$(BIN)/python -m bench.accuracy $(if $(QUICK),--quick)

# Needs the data folder with NEU (NOZZLEWATCH_DATA). Rows that are in out/surface already are kept.
surface-table: $(READY)
	$(BIN)/python -m bench.surface

# Needs the data folder with the meshes (NOZZLEWATCH_DATA). Rows that are in out/printability already are kept.
printability-table: $(READY)
	$(BIN)/python -m bench.printability

bench: $(READY)
	$(BIN)/python -m bench sinks
	$(BIN)/python -m bench

# Coverage-guided fuzzing for FUZZ_SECONDS, shared out over all targets (tests/fuzz).
fuzz: $(FUZZ)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

$(FUZZ): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	touch $(FUZZ)

clean:
	rm -rf $(VENV) out demo data dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
