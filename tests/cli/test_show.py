"""``ccnn-geo show`` on a run, from its folder to files."""

import pytest
import torch

from ccnn_geo.export import predict
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.module import Classifier
from ccnn_geo.visualization import (
    Trained,
    by_evidence,
    by_kernel,
    by_response,
    sample_of_data,
    sample_of_file,
)
from tests.fixtures.shapes_on_disk import write_clouds

DATA = {"dataset": "folder", "root": "shapes", "num_points": 48, "num_samples": 64}
NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.3}
METRICS = "epoch,train_loss,train_acc,val_loss,val_acc,window_0,window_1\n1,2.0,0.5,2.5,0.25,0.3,0.4\n"
FILE = "shapes/test/disc/0.npy"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Shapes and a run, a folder as a training leaves it, of a network that has seen one batch."""
    project = tmp_path_factory.mktemp("project")
    write_clouds(project / "shapes", {"train": 12, "test": 4})
    torch.manual_seed(0)
    model = Classifier({**NETWORK, "num_neighbors": 8}, ["ball", "disc"], 6, data=DATA)
    data = ShapesDataModule(**{**DATA, "root": project / "shapes"})
    data.setup("fit")
    model.network.train()(next(iter(data.train_dataloader())))
    folder = project / "runs" / "tiny"
    (folder / "checkpoints").mkdir(parents=True)
    stored = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save(stored, folder / "checkpoints" / "best.ckpt")
    (folder / "metrics.csv").write_text(METRICS)
    return project


@pytest.fixture
def run(project, monkeypatch):
    monkeypatch.chdir(project)
    return "runs/tiny"


def test_pictures_lie_beside_the_run(run, project, run_cli):
    for arguments, name in (
        (["kernels", run], "kernels.png"),
        (["kernels", f"{run}/checkpoints/best.ckpt", "--layer", "1", "--channels", "2", "3"], "kernels.png"),
        (["cloud", run, FILE], "0_evidence.png"),
        (["cloud", run, FILE, "--by", "kernel", "--layer", "1", "--point", "4"], "0_kernel.png"),
        (["cloud", run, "--sample", "0", "--by", "response"], "sample0_response.png"),
        (["run", run], "training.png"),
    ):
        assert run_cli("show", *arguments) == (0, f"{run}/{name}\n", "")
        assert (project / run / name).read_bytes().startswith(b"\x89PNG")


def test_pages(run, project, run_cli):
    pytest.importorskip("plotly", reason="interactive pictures need the viz extra (plotly)")
    assert run_cli("show", "cloud", run, FILE, "--html") == (0, f"{run}/0_evidence.html\n", "")
    assert run_cli("show", "run", run, "--out", "deep/a.html") == (0, "deep/a.html\n", "")
    assert "<html>" in (project / "deep" / "a.html").read_text(encoding="utf-8")[:200]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["kernels", "nowhere"], 1, "nowhere: no such checkpoint"),
        (["kernels", "RUN", "--layer", "2"], 1, "expected layer 0 to 1, got 2"),
        (["kernels", "RUN", "--out", "a.pdf"], 2, "--out: expected a name in .png or .html, got a.pdf"),
        (["kernels", "RUN", "--out", "a.png", "--html"], 2, "--out: expected a name in .html, got a.png"),
        (["cloud", "RUN"], 2, "either a FILE or --sample NUMBER"),
        (["cloud", "RUN", FILE, "--class", "cup"], 1, "--class: expected one of ball, disc, got 'cup'"),
        (["cloud", "RUN", FILE, "--point", "1"], 2, "--point: expected --by kernel, got --by evidence"),
        (
            ["cloud", "RUN", FILE, "--layer", "1"],
            2,
            "--layer: expected --by kernel or response, got --by evidence",
        ),
        (["kernels", "RUN", "--period", "0"], 2, "--period: expected 1 tap or more, and a .png, got 0"),
        (["cloud", "RUN", "nowhere.off"], 1, "nowhere.off: no such file"),
        (["cloud", "RUN", "--sample", "99"], 1, "expected sample 0 to"),
        (["cloud", "digits", FILE], 1, "trained on images, but a file needs a network for shapes"),
        (["run", "nowhere"], 1, "nowhere: no metrics.csv"),
        (["curves"], 2, "invalid choice: 'curves'"),
    ],
)
def test_mistakes_end_with_one_line(run, run_cli, arguments, code, message):
    found, out, error = run_cli("show", *[run if a == "RUN" else a for a in arguments])
    assert (found, out) == (code, "") and message in error and len(error.splitlines()) == 1


def test_evidence_is_that_of_the_prediction(run):
    trained = Trained.load(run)
    expected = predict(run, FILE)
    sample = sample_of_file(trained, FILE)
    colorings = by_evidence(trained, sample)
    assert next(iter(colorings)) == expected.label
    logits = torch.stack([colorings[name].values.double().mean() for name in trained.classes])
    assert logits.softmax(dim=0).tolist() == pytest.approx(list(expected.probabilities.values()), abs=1e-5)
    assert next(iter(by_evidence(trained, sample, "ball"))) == "ball"
    assert f"{100 * expected.probability:.1f} %" in colorings[expected.label].title


def test_samples_of_the_data_set_know_their_class(run):
    trained = Trained.load(run)
    sample = sample_of_data(trained, 0)
    assert sample.truth in ("ball", "disc") and sample.size == (48,)
    assert f"it is {sample.truth}" in next(iter(by_evidence(trained, sample).values())).title
    around = by_kernel(trained, sample, 0, None, None)
    assert around.values[around.point].isfinite() and int((~around.values.isnan()).sum()) == 8
    assert by_response(trained, sample, 1, 3).values.shape == (48,)


def test_a_network_that_comes_with_the_package(project, monkeypatch, run_cli):
    monkeypatch.chdir(project)
    assert run_cli("show", "cloud", "modelnet10", FILE, "--out", "seen.png") == (0, "seen.png\n", "")


def test_kernels_of_a_packaged_network_carry_its_name(project, monkeypatch, run_cli):
    monkeypatch.chdir(project)
    assert run_cli("show", "kernels", "spoken_digits", "--layer", "0", "--out", "k.html")[0] == 0
    assert "spoken_digits: kernels" in (project / "k.html").read_text(encoding="utf-8")
