"""Fixtures: every test starts from one seed, and runs on each device at hand.

With ``CCNN_GEO_TEST_DEVICE=simulated-cuda`` tests that take a ``device``, and no others, run on one that is not there.
"""

import contextlib
import gc
import os
import warnings

DEVICE = os.environ.get("CCNN_GEO_TEST_DEVICE", "")
if DEVICE not in ("", "simulated-cuda"):
    raise ValueError(f"CCNN_GEO_TEST_DEVICE: expected 'simulated-cuda' or nothing, got {DEVICE!r}")
# Threads that wait for one another leave the core: two test processes on two cores would wait for their own threads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch
OBSTACLE = None
if DEVICE:  # before torch
    from tests.simulated_cuda import guard

    OBSTACLE = guard.load()

# What tests and imports make mostly stays: looking for garbage after each 700 objects takes a tenth of the time.
gc.set_threshold(50_000)

import pytest  # noqa: E402
import torch  # noqa: E402

pytest_plugins = ["tests.fixtures.command_line", "tests.fixtures.core_only", "tests.fixtures.data"]
if not torch.cuda.is_available():  # before Triton's programs are imported: they run in its interpreter then
    os.environ.setdefault("TRITON_INTERPRET", "1")
DEVICES = ["cuda"] if DEVICE else ["cpu"] + ["cuda"] * torch.cuda.is_available()


def pytest_report_header():
    if DEVICE:
        return (
            f"devices: cuda, simulated on the CPU ({OBSTACLE or 'tests that take a device, and no others'})"
        )
    return f"devices: {', '.join(DEVICES)}" + (
        "" if "cuda" in DEVICES else " (no GPU here: nothing runs on one)"
    )


def pytest_collection_modifyitems(config, items):
    if DEVICE:
        others = [item for item in items if "device" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if "device" in getattr(item, "fixturenames", ())]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``-n 2`` alone, too, tests of a file share what takes seconds, which two processes would make twice."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


def pytest_collection_finish():
    """Thousands of tests and the modules they import stay: without them, looking for garbage takes no time."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val, argname):
    """Archives hold the time they were made at: named by their bytes, tests would differ between workers."""
    return f"{argname}_{len(val)}_bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    if OBSTACLE:
        pytest.skip(OBSTACLE)
    if not DEVICE:
        yield torch.device(request.param)
        return
    from tests.simulated_cuda.session import simulated_cuda

    with simulated_cuda() as found:
        yield found


@pytest.fixture
def record_waits(device):
    """A context that lists what waits for the device; on the CPU nothing does."""
    if DEVICE:
        from tests.simulated_cuda.session import record_waits

        return record_waits

    @contextlib.contextmanager
    def listed():
        found = []
        if device.type == "cpu":
            yield found
            return
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
        found += [str(w.message) for w in caught if "synchroniz" in str(w.message)]

    return listed


@pytest.fixture
def inference_mode():
    """Skips where tensors of inference mode cannot be simulated: autograd does not let a wrapper make them."""
    if DEVICE:
        pytest.skip("torch.inference_mode is not simulated")


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def classifier():
    """A network with fixed weights that has seen a cloud, as ``ccnn_geo.predict`` calls it."""
    from ccnn_geo import CCNN
    from ccnn_geo.export.predictor import Predictor
    from ccnn_geo.transforms.pipelines.shapes import ShapePipeline

    torch.manual_seed(0)
    sizes = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.3}
    network = CCNN(6, 2, 3, num_neighbors=8, **sizes)
    network(torch.randn(64, 6), torch.rand(64, 3))
    return Predictor(network.eval(), ("cup", "table"), ShapePipeline(num_points=32, num_samples=64))
