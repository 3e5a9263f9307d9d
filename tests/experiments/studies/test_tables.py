"""The commands of Tables 5 to 7 run at toy sizes; their figures are not tested here."""

import csv
import dataclasses
import subprocess

import pytest
import torch

from ccnn_geo.experiments.benchmarks import efficiency_study, table5, table6, table7
from ccnn_geo.experiments.benchmarks.efficiency_study import Forecast, apart, parse
from ccnn_geo.experiments.benchmarks.sequence_layers import METHODS, Case, Step, inputs
from ccnn_geo.experiments.benchmarks.step_cost import compiled_code, measure, peak_of_step, time_steps
from ccnn_geo.experiments.benchmarks.study_report import FIELDS, table_lines

TABLES = {"table5": table5, "table6": table6, "table7": table7}
EVERY = [(kind, method) for kind, methods in METHODS.items() for method in methods]


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(efficiency_study, "apart", measure)


def read(folder):
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_command_writes_table_csv_and_picture(name, tmp_path, capsys, in_this_process):
    table = TABLES[name]
    table.main(["--quick", "--out", str(tmp_path)])
    out, rows = capsys.readouterr().out, read(tmp_path)
    methods = METHODS[table.STUDY.kind]
    assert tuple(rows[0]) == FIELDS
    assert len(rows) == 2 * 2 * len(methods)
    assert {row["length"] for row in rows} == {"16", "40"}
    assert {row["setting"] for row in rows} == {"compiled", "torch only"}
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in rows)
    assert {row["unit"] for row in rows} == {table.STUDY.unit} and not any(row["failed"] for row in rows)
    if table.STUDY.unit == "ms":
        assert {row["ratio"] for row in rows if row["method"] == table.STUDY.reference} == {"1.0"}
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert all(method.label in out for method in methods.values())
    assert "torch " in out and "toy sizes" in out


@pytest.mark.parametrize(
    "name, cells",
    [
        (
            "table5",
            {
                ("local", 1024, 140): 24,
                ("global", 16000, 140): 122,
                ("ccnn", 8192, 140): 77,
                ("global", 16000, 380): None,
                ("ccnn", 16000, 380): 537,
            },
        ),
        (
            "table6",
            {
                ("lssl", 128, 1024): 140.7,
                ("lssl", 1024, 256): None,
                ("s4", 4096, 256): 6.86,
                ("ccnn", 1024, 512): 5.07,
                ("ccnn", 16000, 1024): 102.57,
            },
        ),
        (
            "table7",
            {
                ("lssl", 128, 256): 222.1,
                ("s4", 1024, 1024): 153.69,
                ("s4", 16000, 512): 1014.08,
                ("ccnn", 128, 256): 14.46,
                ("ccnn", 4096, 512): 888.24,
            },
        ),
    ],
)
def test_numbers_are_the_papers(name, cells):
    paper = TABLES[name].STUDY.paper
    assert {at: paper.get(at) for at in cells} == cells


@pytest.mark.parametrize("kind, method", EVERY)
def test_every_gradient_flows_and_both_settings_agree(kind, method):
    case = Case(kind, method, 40, 16 if kind == "network" else 4, 2)
    step = Step(case, *inputs(case))
    found = []
    for native in (True, False):
        with compiled_code(native):
            found.append(step.call(step.x).detach())
            step()
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)
    kernel = getattr(step.module, "kernel", None)
    called = kernel if isinstance(kernel, torch.nn.Module) else step.module
    assert all(p.grad is not None for p in called.parameters())
    assert (step.x.grad is not None) == (kind == "layer")
    step.forget()
    assert step.x.grad is None and all(p.grad is None for p in step.module.parameters())


@pytest.mark.parametrize("length", [128, 1024, 16000])
def test_an_open_window_crops_nothing(length):
    taps = {}
    for method in ("ccnn", "ccnn_window"):
        case = Case("layer", method, length, 1, 1)
        step = Step(case, *inputs(case))
        step.module.kernel.observe(torch.tensor([2.0]))
        taps[method] = len(step.module.kernel_taps((length,))[0])
    assert taps["ccnn"] == length
    assert 0.08 < taps["ccnn_window"] / length < 0.11


def test_networks_have_the_papers_depths():
    depths = {1024: 8, 4096: 10, 8192: 11, 16000: 12}
    for length, depth in depths.items():
        case = Case("network", "local", length, 16, 1)
        net, _ = METHODS["network"]["local"].build(case)
        assert len(net.network.blocks) == depth
    for width, blocks in {140: 4, 380: 6}.items():
        for method in ("global", "ccnn"):
            net, _ = METHODS["network"][method].build(Case("network", method, 16, width, 1))
            assert len(net.convs) == blocks + 1 and net.convs[1].in_channels == width


def test_fresh_processes_measure_and_report_what_they_cannot(monkeypatch):
    job = {"unit": "MB", "repeats": 1, "enough": 0.0, "megabytes": 2000.0, "timeout": 60.0}
    small = dataclasses.asdict(Case("layer", "s4", 64, 4, 2))
    large = dataclasses.asdict(Case("layer", "s4", 4_000_000, 256, 8))
    answers = apart({**job, "cases": [small, large]})
    assert answers[0]["samples"][0] >= 0
    assert answers[1]["failed"].startswith("out of memory")
    monkeypatch.setattr(efficiency_study, "peak_above_start", _fails)
    assert apart({**job, "cases": [small]}) == [{"failed": "ValueError: no"}]


def _fails(*args, **kwargs):
    raise subprocess.CalledProcessError(1, "python", stderr="Traceback\nValueError: no")


def test_errors_other_than_memory_are_not_hidden():
    with pytest.raises(ValueError, match="even"), pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS["layer"], "s4", METHODS["layer"]["lssl"])
        patch.setattr(Step, "__call__", lambda self: (_ for _ in ()).throw(ValueError("even")))
        peak_of_step(Case("layer", "s4", 64, 4, 2))
    with pytest.raises(RuntimeError, match="shape"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Step, "__call__", lambda self: (_ for _ in ()).throw(RuntimeError("shape")))
        time_steps([Case("layer", "s4", 64, 4, 2)], 1)


def test_what_would_exceed_a_limit_is_a_dash():
    forecast = Forecast(1000.0, "ms")
    case = Case("layer", "s4", 1000, 4)
    assert forecast.refusal(case) is None
    forecast.learn(case, {"value": 300.0})
    longer = [dataclasses.replace(case, length=n) for n in (2000, 4000, 8000)]
    assert [forecast.refusal(c) for c in longer[:2]] == [None, "about 1,200 ms, by L=1,000"]
    forecast.learn(longer[1], {"failed": "about 1,200 ms, by L=1,000"})
    assert forecast.refusal(longer[2]) == "about 2,400 ms, by L=1,000"
    forecast.learn(longer[0], {"failed": "no"})
    assert forecast.refusal(longer[2]) == "as L=2,000: no"
    row = {**dataclasses.asdict(case), "setting": "compiled", "failed": "no"}
    lines = table_lines(table6.STUDY, [row])
    assert lines[-2].split() == ["S4", "-"] and lines[-1] == "- S4, compiled: no"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--lengths", "1"], "--lengths: expected at least 2"),
        (["--batch", "0"], "--batch: expected at least 1"),
        (["--repeats", "0"], "--repeats: expected at least 1"),
        (["--methods", "transformer"], "invalid choice: 'transformer'"),
        (["--hidden", "141"], "expected widths of presets"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        parse(table5.STUDY, "", arguments)
    assert message in capsys.readouterr().err


def test_defaults_are_the_papers_and_large_adds_to_them():
    args = parse(table6.STUDY, "", ["--native", "0"])
    assert args.lengths == [128, 1024, 4096, 16000] and args.native == [False] and args.batch == 8
    sizes = parse(table6.STUDY, "", ["--large"]).hidden, parse(table5.STUDY, "", ["--large"]).hidden
    assert sizes == ([256, 512, 1024], [140, 380])
