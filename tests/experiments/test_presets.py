"""Every preset of the paper: complete, of the published size, and able to learn from its task's samples."""

import pytest
import torch
import yaml
from torch_geometric.data import Batch, Data

from ccnn_geo.cli.info import configured_network
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.runs import find_config

SEQUENCES = (
    "smnist",
    "pmnist",
    "scifar10",
    "speech_raw",
    "speech_mfcc",
    "listops",
    "text",
    "image",
    "pathfinder",
)
IMAGES = ("cifar10", "cifar100", "stl10", "image2d", "pathfinder2d")
TASKS = (*SEQUENCES, *IMAGES, "modelnet40")
PAPER = [
    f"{task}/{size}{'_paper' * (task == 'modelnet40')}"  # the one task with a recipe of our own
    for task in TASKS
    for size in ("ccnn_4_140", "ccnn_6_380")
]
SMALL = [f"modelnet40/{size}_paper" for size in ("ccnn_4_16", "ccnn_4_32", "ccnn_4_48")]
BLOCKS = [f"scifar10/{block}_{size}" for block in ("s4", "flex") for size in ("4_140", "6_380")]

# omega_0, dropout, learning rate, weight decay, batch size, epochs; Tables 3 and 4 of the paper
TABLES = {
    "smnist/ccnn_4_140": (2976.49, 0.1, 0.01, 1e-6, 100, 210),
    "pmnist/ccnn_4_140": (2985.63, 0.2, 0.02, 0, 100, 210),
    "scifar10/ccnn_4_140": (2386.49, 0.0, 0.02, 0, 50, 210),
    "speech_raw/ccnn_4_140": (1295.61, 0.2, 0.02, 1e-6, 20, 160),
    "speech_mfcc/ccnn_4_140": (750.18, 0.2, 0.02, 1e-6, 100, 110),
    "listops/ccnn_4_140": (784.66, 0.1, 0.001, 1e-6, 50, 60),
    "text/ccnn_4_140": (2966.60, 0.2, 0.001, 1e-5, 50, 60),
    "image/ccnn_4_140": (4005.15, 0.2, 0.01, 0, 50, 210),
    "pathfinder/ccnn_4_140": (2272.56, 0.2, 0.01, 0, 100, 210),
    "cifar10/ccnn_4_140": (1435.77, 0.1, 0.02, 1e-4, 50, 210),
    "cifar100/ccnn_4_140": (3521.55, 0.1, 0.02, 1e-4, 50, 210),
    "stl10/ccnn_4_140": (954.28, 0.1, 0.02, 0, 64, 210),
    "image2d/ccnn_4_140": (2085.43, 0.2, 0.02, 1e-6, 50, 210),
    "pathfinder2d/ccnn_4_140": (1239.14, 0.1, 0.01, 0, 100, 210),
    "modelnet40/ccnn_4_140_paper": (50, 0.0, 0.02, 1e-8, 16, 200),
    "smnist/ccnn_6_380": (2976.49, 0.1, 0.01, 0, 100, 210),
    "pmnist/ccnn_6_380": (2985.63, 0.2, 0.02, 0, 100, 210),
    "scifar10/ccnn_6_380": (4005.15, 0.25, 0.01, 0, 50, 210),
    "speech_raw/ccnn_6_380": (1295.61, 0.2, 0.02, 1e-6, 20, 160),
    "speech_mfcc/ccnn_6_380": (750.18, 0.2, 0.02, 1e-6, 100, 110),
    "listops/ccnn_6_380": (784.66, 0.25, 0.001, 0, 50, 60),
    "text/ccnn_6_380": (2966.60, 0.3, 0.02, 0, 50, 60),
    "image/ccnn_6_380": (4005.15, 0.1, 0.01, 0, 50, 210),
    "pathfinder/ccnn_6_380": (2272.56, 0.1, 0.01, 1e-6, 100, 210),
    "cifar10/ccnn_6_380": (1435.77, 0.15, 0.02, 0, 50, 210),
    "cifar100/ccnn_6_380": (679.14, 0.2, 0.02, 0, 50, 210),
    "stl10/ccnn_6_380": (954.28, 0.1, 0.01, 1e-6, 64, 210),
    "image2d/ccnn_6_380": (2306.08, 0.2, 0.02, 0, 50, 210),
    "pathfinder2d/ccnn_6_380": (3908.32, 0.2, 0.01, 0, 100, 210),
    "modelnet40/ccnn_6_380_paper": (50, 0.0, 0.02, 1e-7, 32, 200),
}

PARAMETERS = {
    "smnist/ccnn_4_140": 198_769,
    "pmnist/ccnn_4_140": 198_769,
    "speech_raw/ccnn_4_140": 198_769,
    "scifar10/ccnn_4_140": 199_117,
    "speech_mfcc/ccnn_4_140": 202_075,
    "pathfinder/ccnn_4_140": 197_500,
    "cifar10/ccnn_4_140": 201_042,
    "stl10/ccnn_4_140": 201_042,
    "cifar100/ccnn_4_140": 213_732,
    "pathfinder2d/ccnn_4_140": 199_425,
    "modelnet40/ccnn_4_140_paper": 207_709,
    "smnist/ccnn_6_380": 1_993_091,
    "pmnist/ccnn_6_380": 1_993_091,
    "speech_raw/ccnn_6_380": 1_993_091,
    "scifar10/ccnn_6_380": 1_993_983,
    "speech_mfcc/ccnn_6_380": 2_001_565,
    "pathfinder/ccnn_6_380": 1_989_662,
    "cifar10/ccnn_6_380": 1_999_366,
    "stl10/ccnn_6_380": 1_999_366,
    "cifar100/ccnn_6_380": 2_033_656,
    "pathfinder2d/ccnn_6_380": 1_995_045,
    "modelnet40/ccnn_6_380_paper": 2_017_503,
    "modelnet40/ccnn_4_16_paper": 6_545,
    "modelnet40/ccnn_4_32_paper": 14_401,
    "modelnet40/ccnn_4_48_paper": 26_353,
    "scifar10/flex_4_140": 233_721,
    "scifar10/flex_6_380": 2_229_293,
}

WINDOWS = {
    "listops/ccnn_4_140": 0.03,
    "listops/ccnn_6_380": 0.03,
    "text/ccnn_4_140": 0.015,
    "text/ccnn_6_380": 0.03,
    "pathfinder/ccnn_4_140": 0.4,
    "pathfinder/ccnn_6_380": 0.4,
    "pathfinder2d/ccnn_4_140": 0.225,
    "pathfinder2d/ccnn_6_380": 0.225,
    "cifar10/ccnn_4_140": 0.75,
}

COMPLETE = {
    "model": {"preset", "omega_0", "dropout", "window_init"},
    "optim": {"lr", "weight_decay", "kernel_l2", "warmup_epochs"},
    "data": {"dataset", "batch_size", "augment"},
    "trainer": {"max_epochs"},
}


def read(name: str) -> dict:
    return yaml.safe_load(find_config(name).read_text())


@pytest.fixture(autouse=True)
def one_thread():
    """Small batches on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", [*PAPER, *SMALL, *BLOCKS])
def test_presets_are_complete(name):
    settings = read(name)
    for section, keys in COMPLETE.items():
        assert keys <= set(settings[section]), section
    task, size = name.split("/")
    assert settings["data"]["dataset"] == task
    assert settings["model"]["preset"].endswith(size.removesuffix("_paper").split("_", 1)[1])
    assert settings["optim"]["warmup_epochs"] == 10 and settings["optim"]["weight_decay"] == 0
    assert settings["model"]["window_init"] == WINDOWS.get(name, 0.075)
    assert settings["model"].get("causal", False) == (task in SEQUENCES)
    assert settings["optim"].get("binary", False) == (task in ("text", "pathfinder", "pathfinder2d"))


@pytest.mark.parametrize("name", PAPER)
def test_presets_follow_the_tables(name):
    s = read(name)
    found = s["model"]["omega_0"], s["model"]["dropout"], s["optim"]["lr"], s["optim"]["kernel_l2"]
    assert (*found, s["data"]["batch_size"], s["trainer"]["max_epochs"]) == TABLES[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_published(name):
    network = configured_network(read(name))
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("text/ccnn_4_140", 197_500),
        ("text/ccnn_6_380", 1_989_662),
        ("listops/ccnn_4_140", 198_769),
        ("listops/ccnn_6_380", 1_993_091),
    ],
)
def test_raw_ids_give_the_published_parameters(name, count):
    network = configured_network(read(name), in_channels=1)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(
    ("name", "taps"),
    [
        ("cifar10/ccnn_4_140", 33),
        ("cifar10/ccnn_6_380", 33),
        ("cifar100/ccnn_6_380", 31),
        ("stl10/ccnn_4_140", 33),
    ],
)
def test_kernels_of_images_are_limited(name, taps):
    settings = read(name)
    size = make_data(settings["data"]).cls.info.size
    settings["model"]["window"] = None  # the limit alone
    kernel = configured_network(settings).stem.kernel
    step = 2 / (size[0] - 1)
    rel = torch.arange(-40, 41, dtype=torch.float64) * step
    inside = kernel.inside(torch.stack([rel, torch.zeros_like(rel)], dim=1).float())
    assert int(inside.sum()) == taps


def synthetic(settings: dict) -> tuple:
    """A batch of two samples as the task's, shorter where a step would be slow, and its channels."""
    data = make_data(settings["data"])
    y = torch.tensor([0, 1])
    if data.dim == 3:
        clouds = [Data(x=torch.randn(32, 6), pos=torch.rand(32, 3), y=y[i : i + 1]) for i in range(2)]
        return Batch.from_data_list(clouds), 6, 40, data.dim
    channels = data.in_channels or 1
    size = list(data.cls.info.size)
    size[-1] = min(size[-1], 64 if data.dim == 1 else 4)  # images keep their longest side, and so their step
    return (torch.randn(2, channels, *size), y), channels, data.num_classes, data.dim


LARGE = ("pmnist/ccnn_6_380", "cifar10/ccnn_6_380", "modelnet40/ccnn_6_380_paper", "scifar10/flex_6_380")
"""Of two million parameters, one of each form: the other tables hold the rest, whose steps take a second."""
STEPS = [name for name in (*PAPER, *SMALL, *BLOCKS) if "6_380" not in name or name in LARGE]


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step(name):
    settings = read(name)
    batch, channels, classes, dim = synthetic(settings)
    names = [str(i) for i in range(classes)]
    model = Classifier(settings["model"], names, channels, dim, **settings["optim"])
    model.log = lambda *_, **__: None
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["optim"]["lr"])
    before = [p.detach().clone() for p in model.parameters()]
    loss = model.training_step(batch, 0)
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
