"""The study of fine-tuning: what is trained from what, on which shapes, and the table it writes."""

from ccnn_geo.experiments.data.few_folder import VALIDATION
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import fine_tuning


def test_rows_differ_in_their_start_alone(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "root/train" / name).mkdir(parents=True)
        for i in range(100 + VALIDATION):
            (tmp_path / "root/train" / name / f"{i:03d}.npy").touch()
    asked = []

    def train(folder, config, seed, **options):
        asked.append((folder.name, config, seed, options))
        scratch = "from" not in options
        return {"accuracy": 70.0 if scratch else 80.0, "curve": [50.0, 70.0], "seconds": [30.0, 60.0]}

    monkeypatch.setattr(fine_tuning, "train", train)
    options = Options("small", tmp_path / "root", (0, 1))
    text = run_study(fine_tuning.STUDY, options, tmp_path / "out", say=str).read_text()
    assert "| from scratch | 70.0 ± 0.0 | 70.0 ± 0.0 | 1.0, 1.0 |" in text
    assert "| from shapes10 | 80.0 ± 0.0 | 80.0 ± 0.0 | 1.0, 1.0 |" in text
    assert len({name for name, *_ in asked}) == len(asked) == 2 * 2 * len(fine_tuning.ROWS)
    same = ("trainer__max_epochs", "data__root")
    for few, epochs in fine_tuning.EPOCHS.items():
        of = [given for name, _, _, given in asked if f"-{few}-" in name]
        roots = {given["data__root"] for given in of}
        assert len(roots) == 1
        assert {given["trainer__max_epochs"] for given in of} == {epochs}
        assert {tuple(key for key in given if key not in same) for given in of} == {
            (),
            ("from",),
            ("from", "optim__trunk_lr"),
        }
        files = list((tmp_path / "out/jobs" / f"shapes-{few}").glob("*/*/*.npy"))
        assert len(files) == 2 * (few + VALIDATION)
