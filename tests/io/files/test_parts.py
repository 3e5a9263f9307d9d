"""Records that are added one by one, and what a kill or a disk makes of them."""

import os

import pytest

from ccnn_geo.io.files.parts import RecordFile, process_of


def added(path, *numbers):
    records = RecordFile(path)
    with records.open_to_add() as file:
        for number in numbers:
            records.add(file, number, bytes([number]) * number, is_error=number % 2 == 1)
    return records


def found(records):
    return [(place.number, records.content(place), place.is_error) for place in records.places()]


def test_what_was_added_is_found_again_and_more_follows(tmp_path):
    records = added(tmp_path / "part", 3, 0)
    assert found(records) == [(3, b"\3\3\3", True), (0, b"", False)]
    *_, last = records.places()
    added(tmp_path / "part", 2)
    assert [place.number for place in records.places(last.end)] == [2]
    assert list(RecordFile(tmp_path / "none").places()) == []


def test_a_record_that_was_cut_off_anywhere_goes(tmp_path):
    path = tmp_path / "part"
    added(path, 5)
    whole = path.stat().st_size
    added(path, 9)
    content = path.read_bytes()
    for size in range(whole, len(content)):
        path.write_bytes(content[:size])
        assert [number for number, *_ in found(RecordFile(path))] == [5]
        assert [number for number, *_ in found(added(path, 4))] == [5, 4]


def test_a_damaged_record_is_refused_and_what_follows_it_is_done_again(tmp_path):
    records = added(tmp_path / "part", 5, 6, 7)
    content = bytearray((tmp_path / "part").read_bytes())
    content[content.index(b"\6")] ^= 1
    (tmp_path / "part").write_bytes(content)
    with pytest.raises(ValueError, match=r"part: record \d+ is damaged; start again"):
        found(records)
    assert [number for number, *_ in found(added(tmp_path / "part", 8))] == [5, 8]


def test_torchrun_comes_before_slurm():
    slurm = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}
    assert process_of(slurm) == (3, 4)
    assert process_of({**slurm, "RANK": "0", "WORLD_SIZE": "2"}) == (0, 2)
    assert process_of({"RANK": "1"}) == (0, 1)
    if not {"RANK", "SLURM_PROCID"} & os.environ.keys():
        assert process_of() == (0, 1)
    for rank, size in (("2", "2"), ("0", "0"), ("-1", "2"), ("one", "2"), ("0", "")):
        with pytest.raises(
            ValueError, match=f"RANK is '{rank}' and WORLD_SIZE '{size}', expected whole numbers"
        ):
            process_of({"RANK": rank, "WORLD_SIZE": size})
