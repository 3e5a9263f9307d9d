"""Run by ``test_core.py`` where no extra is installed, in one process; prints what happened as JSON."""

import contextlib
import io
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import torch

import ccnn_geo
from ccnn_geo.cli import main
from ccnn_geo.datasets import ParametricShapes
from ccnn_geo.neighbors import knn_graph

CORNERS = np.random.default_rng(0).random((40, 3)).round(3)
ROWS = "\n".join(" ".join(map(str, row)) for row in CORNERS) + "\n"
FACES = ["0 1 2", "1 2 3", "5 7 9"]
LISTED = "".join(f"3 {face}\n" for face in FACES)


def shapes() -> dict[str, str]:
    """The same points in each format of text."""
    one_based = "".join(f"f {' '.join(str(int(i) + 1) for i in face.split())}\n" for face in FACES)
    corners = "".join(
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {' '.join(map(str, CORNERS[int(i)]))}\n" for i in face.split())
        + "endloop\nendfacet\n"
        for face in FACES
    )
    ply = "ply\nformat ascii 1.0\nelement vertex 40\n" + "".join(f"property float {a}\n" for a in "xyz")
    pcd = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 40\nHEIGHT 1\nPOINTS 40\n"
    return {
        "a.off": f"OFF\n40 {len(FACES)} 0\n{ROWS}{LISTED}",
        "a.obj": "".join(f"v {row}\n" for row in ROWS.splitlines()) + one_based,
        "a.ply": f"{ply}element face {len(FACES)}\nproperty list uchar int i\nend_header\n{ROWS}{LISTED}",
        "a.stl": f"solid a\n{corners}endsolid a\n",
        "a.pcd": f"{pcd}DATA ascii\n{ROWS}",
        "a.xyz": ROWS,
    }


def prepare() -> None:
    """A checkpoint, shapes, images and metrics in the working folder, and few shapes of each parametric family."""
    ParametricShapes.__init__.__kwdefaults__.update(train_per_class=1, test_per_class=2)
    torch.manual_seed(0)
    sizes = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "num_neighbors": 8}
    network = ccnn_geo.CCNN(6, 2, 3, **sizes)
    network(torch.randn(60, 6), torch.rand(60, 3), torch.arange(60) // 30)
    given = {"network": sizes, "classes": ["ball", "disc"], "in_channels": 6}
    given["data"] = {"dataset": "folder", "num_points": 32, "num_samples": 32}
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights, "hyper_parameters": given}, "a.ckpt")
    for name, text in shapes().items():
        Path(name).write_text(text)
    np.save("a.npy", CORNERS)
    Path("images/train/one").mkdir(parents=True)
    Path("images/train/one/a.png").write_bytes(b"never opened")
    Path("tables").mkdir()
    Path("tables/train.parquet").write_bytes(b"never opened")
    Path("metrics.csv").write_text("epoch,val_loss\n1,0.5\n")


def run(line: str) -> list:
    """Exit code, output and errors of a command."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main(shlex.split(line))
        except SystemExit as end:
            code = end.code or 0
    return [code, out.getvalue(), errors.getvalue()]


def said(call) -> str:
    """The message of an ImportError."""
    try:
        call()
    except ImportError as error:
        return str(error)
    return "no error"


def training_from_python() -> None:
    import ccnn_geo.training.module  # noqa: F401


prepare()
pos = torch.rand(30, 3)
conv = ccnn_geo.SepFlexConv(2, 3, dim=3)
found = {
    "layer": list(conv(torch.randn(30, 2), pos, knn_graph(pos, 8)).shape),
    "commands": {line: run(line) for line in sys.stdin.read().splitlines()},
    "functions": {
        "training": said(training_from_python),
        "hub": said(lambda: ccnn_geo.CCNN.from_pretrained("user/name")),
    },
    "probabilities": sum(ccnn_geo.predict("a.ckpt", CORNERS).probabilities.values()),
}
sys.stdout.write(json.dumps(found))
