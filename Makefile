# Two commands do all the set-up: `make demo` and `make test`.
# PYTHON chooses the interpreter; everything goes into .venv, nothing outside this folder is touched.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
BIN := .venv/bin
RUN ?= runs/demo

# One thread each: small tensors gain little from more, and on a busy machine threads that meet after every
# operation make a step many times slower (docs/performance.md).
export OMP_NUM_THREADS ?= 1
# Compiled code goes where everything else goes.
export CCNN_GEO_CACHE ?= $(CURDIR)/.venv/cache

.PHONY: demo test test-simulated coverage lint types docs install install-dev clean

.venv/installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable ".[all]"
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable ".[dev]"
	touch $@

install: .venv/installed
install-dev: .venv/installed-dev

demo: install
	rm -rf $(RUN)
	$(BIN)/ccnn-geo train --config demo --out $(RUN)
	$(BIN)/ccnn-geo test $(RUN)/checkpoints/best.ckpt
	$(BIN)/ccnn-geo test $(RUN)/checkpoints/best.ckpt --data.carrier voxels
	$(BIN)/ccnn-geo predict $(RUN)/checkpoints/best.ckpt data/parametric_shapes-*/test/*/*_0001.off
	@echo "Next: . .venv/bin/activate, then ccnn-geo --help"
	@echo "Pictures: $(RUN)/curves.png, $(RUN)/confusion_test_points.png, $(RUN)/confusion_test_voxels.png"

test: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(MAKE) test-simulated

# What a GPU would refuse, or never hear of, on a machine without one (tests/simulated_cuda); about a minute of one core.
SIMULATED := tests/law/test_law.py tests/law/test_devices.py tests/nn/conv/test_kernel_cache.py tests/law/test_compile.py \
	tests/law/test_training_step.py tests/law/test_cuda_graphs.py tests/law/test_deterministic.py tests/neighbors/test_measure.py tests/nn/test_joint.py \
	tests/neighbors/test_neighbors_chunks.py tests/neighbors/test_neighbors_device.py tests/neighbors/test_neighbors_value.py tests/kernels/test_kernels.py tests/functional/grid/test_grid_conv.py \
	tests/training/test_waits.py tests/training/data/test_loading.py tests/functional/mesh/test_mesh_device.py tests/_base/test_device_costs.py
test-simulated: install-dev
	CCNN_GEO_TEST_DEVICE=simulated-cuda $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow_simulated" $(SIMULATED)

# Apart from the test run: tracing makes Python loops several times slower.
coverage: install-dev
	rm -rf .venv/coverage && mkdir -p .venv/coverage
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --include="*/ccnn_geo/*" --fail-under=95

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Names of modules follow from folders, so datasets and experiments are put where the package has them.
types: install-dev
	rm -rf .venv/types
	mkdir -p .venv/types/ccnn_geo
	ln -s $(CURDIR)/ccnn_geo/* $(CURDIR)/datasets $(CURDIR)/experiments .venv/types/ccnn_geo
	cd .venv/types && ../bin/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir ../mypy_cache

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --editable ".[docs]"
	touch $@

docs: .venv/installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf .venv runs build dist docs/_build *.egg-info
