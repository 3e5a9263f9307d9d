"""The benchmark of the loaders at toy size; its figures are not tested here."""

import fake_data

from ccnn_geo.experiments.benchmarks import bench_loader


def test_loaders_are_timed_alone_and_in_training(tmp_path, monkeypatch, capsys):
    fake_data.register(monkeypatch, tmp_path)
    shapes, model = bench_loader.CASES["shapes"]
    small = {
        **shapes,
        "dataset_args": {"train_per_class": 1, "test_per_class": 1, "num_workers": 0},
        "num_points": 32,
        "num_samples": 64,
        "batch_size": 4,
    }
    sizes = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4}
    spots = {"dataset": "spots", "batch_size": 4, "augment": {"crop": 2}}
    cases = {"shapes": (small, {**model, "preset": None, **sizes}), "mnist": (spots, sizes)}
    monkeypatch.setattr(bench_loader, "CASES", cases)
    for case in cases:
        bench_loader.main([case, "--root", str(tmp_path), "--workers", "0", "--batches", "3"])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 3
        figures = lines[2].replace("/s", "").replace(",", "").split()
        assert all(float(figure) > 0 for figure in figures[1:4]) and 0 <= float(figures[4]) < 100
