"""What processes share, and what only the first prepares; how they go on after a kill: ``tests/faults``."""

from ccnn_geo.cli.data import prepare


def test_what_has_no_files_to_share_is_prepared_by_the_first_process(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "1")
    for name, options in (("parametric", {}), ("mnist", {}), ("pathfinder", {"generate": 10})):
        lines = list(prepare(name, str(tmp_path), options=options))
        assert lines == [f"{name}: no files to share, process 0 prepares it; process 1 of 0 to 2 exits"]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RANK", "0")
    sizes = {"train_per_class": 1, "test_per_class": 1, "num_samples": 40, "num_points": 32}
    lines = list(prepare("parametric", str(tmp_path), ["test"], options=sizes))
    assert lines[1].startswith("test: 10 samples, 10 classes")
