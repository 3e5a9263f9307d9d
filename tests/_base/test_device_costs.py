"""Costs by device: measured ones where there is a file, built-in ones elsewhere; a wrong file is told of once."""

import json
import warnings
from dataclasses import asdict, replace

import pytest
import torch

from ccnn_geo import SepFlexConv
from ccnn_geo._base import device_costs
from ccnn_geo._base.device_costs import CPU, costs_file, costs_of, read_costs, write_costs
from ccnn_geo.functional.grid.conv import fft_is_cheaper, prepare_kernel

MEASURED = replace(CPU, fft=20.0, compiled_fft=20.0, listed=1e6, lattice_channel=3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(device_costs, "cache_folder", lambda: tmp_path / "not there yet")
    device_costs._known_costs.cache_clear()
    yield tmp_path / "not there yet"
    device_costs._known_costs.cache_clear()


def of(device):
    return torch.zeros(1, device=device).device  # with its number


def test_without_a_file_figures_are_built_in(folder, device):
    assert costs_of(of(device)) is device_costs.BUILT_IN[device.type]
    assert costs_of(torch.device("meta")) is CPU
    assert list(asdict(CPU).values()) == [1.5, 0.4, 5.0, 7.0, 0.013, 0.3, 26.0, 1.5, 0.25, 0.2, 0.4]


def test_a_file_is_read_once(folder, device):
    path = write_costs(MEASURED, of(device))
    assert path.parent == folder and path == costs_file(of(device))
    assert json.loads(path.read_text())["device"] == device_costs.device_name(of(device))
    assert costs_of(of(device)) == MEASURED
    path.unlink()
    assert costs_of(of(device)) == MEASURED
    assert costs_of(torch.device("meta")) is CPU


def test_no_folder_is_no_error(folder, monkeypatch):
    def homeless():
        raise FileNotFoundError("there is no home folder")

    monkeypatch.setattr(device_costs, "cache_folder", homeless)
    assert costs_of(torch.device("cpu")) is CPU


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        '{"format": 2, "costs": {}}',
        '{"format": 1}',
        '{"format": 1, "costs": {"fft": 1}}',
        *(
            json.dumps({"format": 1, "costs": {**asdict(CPU), "cell": value}})
            for value in (-1, float("nan"), float("inf"), "1", True, None)
        ),
        b"\xff\xfe",
    ],
)
def test_an_invalid_file_is_ignored_with_one_warning(text, folder, device):
    path = costs_file(of(device), folder)
    folder.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.warns(UserWarning, match=r"costs-.*\.json is ignored, .*calibrate writes it anew"):
        assert costs_of(of(device)) is device_costs.BUILT_IN[device.type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert costs_of(of(device)) is device_costs.BUILT_IN[device.type]


def test_whole_numbers_are_numbers_and_more_is_ignored():
    text = json.dumps({"format": 1, "more": 1, "costs": {**asdict(CPU), "cell": 2, "new": 3}})
    assert read_costs(text) == replace(CPU, cell=2.0)


def test_grids_are_convolved_by_what_was_measured(folder, device):
    kernel = torch.randn(3, 165, device=device)
    assert prepare_kernel(kernel, (1024,), (82,)).plan is not None
    write_costs(MEASURED, kernel.device)
    device_costs._known_costs.cache_clear()
    assert prepare_kernel(kernel, (1024,), (82,)).plan is None
    assert fft_is_cheaper((1024,), (165,), device="meta")


def test_paths_are_chosen_by_what_was_measured(folder, device):
    conv = SepFlexConv(3, 4, 3, omega_0=1.0, window_init=0.4).to(device)
    pos = (torch.rand(50, 3) * 8).floor().to(device) / 8
    given = {"pos": pos, "spacing": 1 / 8}
    before = conv.explain_plan(**given).seconds
    write_costs(MEASURED, pos.device)
    device_costs._known_costs.cache_clear()
    found = conv.explain_plan(**given)
    assert found.seconds["edge"] > 100 * before["edge"] and found.method == "lattice"


def test_compiled_code_asks_too(folder):
    conv, x = SepFlexConv(2, 2, 1, omega_0=5.0, window_init=0.3), torch.randn(2, 2, 64)
    expected = conv(x)
    conv.eval()
    write_costs(MEASURED, x.device)
    device_costs._known_costs.cache_clear()
    torch.compiler.reset()
    compiled = torch.compile(conv, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected, rtol=1e-4, atol=1e-5)
