"""The measurement of imports."""

from ccnn_geo.experiments.benchmarks import import_time


def test_imports_are_timed_beside_torch_geometric(monkeypatch, capsys, tmp_path):
    (tmp_path / "torch_geometric.py").write_text("sum(range(5_000_000))")  # in the place of the real one
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(import_time, "PACKAGES", ("torch_geometric", "json"))
    monkeypatch.setattr(import_time, "ON_TOP", ("import json",))
    import_time.main(["--repeats", "1"])
    first, light, added = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "torch_geometric" and first.endswith("1.00x")
    assert 0 < float(light.split()[1]) < float(first.split()[1])
    said, seconds = added.split(": ")
    assert said == "import json" and 0 <= float(seconds.split()[0]) < float(first.split()[1])
    assert seconds.endswith("s on top of torch_geometric")
