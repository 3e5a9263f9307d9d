"""Help that takes seconds to find out is remembered, and forgotten when what it depends on changes."""

import os
import subprocess
import sys

import pytest

from ccnn_geo.cli import help_pages, main
from ccnn_geo.cli.help_pages import is_general, show_help


@pytest.fixture
def make(monkeypatch, tmp_path):
    """A command that prints its arguments, and how often it was asked."""
    monkeypatch.setenv("CCNN_GEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    calls = []

    def command(arguments):
        calls.append(arguments)
        sys.stdout.write(f"usage: {' '.join(arguments)}\n")
        raise SystemExit(0)

    command.calls = calls
    return command


def test_a_page_is_made_once(make, capsys):
    for _ in range(3):
        show_help("train", ["--help"], make)
    assert capsys.readouterr().out == "usage: --help\n" * 3
    assert make.calls == [["--help"]]


def test_other_arguments_widths_and_versions_have_pages_of_their_own(make, monkeypatch):
    show_help("train", ["--help"], make)
    show_help("train", ["--help-all"], make)
    show_help("test", ["--help"], make)
    monkeypatch.setenv("COLUMNS", "120")
    show_help("train", ["--help"], make)
    monkeypatch.setattr(help_pages.metadata, "version", lambda name: "99")
    show_help("train", ["--help"], make)
    assert len(make.calls) == 5


def test_a_changed_source_has_a_new_page(make, monkeypatch, tmp_path):
    source = tmp_path / "sources" / "option.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(help_pages, "HERE", source.parent)
    show_help("train", ["--help"], make)
    os.utime(source, ns=(1, 1))
    show_help("train", ["--help"], make)
    assert len(make.calls) == 2


def test_a_folder_that_cannot_be_written_to_costs_only_time(make, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CCNN_GEO_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        show_help("train", ["--help"], make)
    assert capsys.readouterr().out == "usage: --help\n" * 2 and len(make.calls) == 2


def test_an_error_is_not_remembered(make, tmp_path):
    def fails(arguments):
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        show_help("train", ["--help"], fails)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "general"),
    [
        (["--help"], True),
        (["-h"], True),
        (["--data.dataset", "cifar10", "--help-all"], True),
        (["--config", "a.yaml", "--help"], False),
        (["runs/a", "--help"], False),
        (["--data.dataset", "cifar10"], False),
        ([], False),
    ],
)
def test_only_pages_that_no_file_decides_on_are_remembered(arguments, general):
    assert is_general(arguments) is general


def test_the_command_line_remembers(make, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules["ccnn_geo.cli._main"]._COMMANDS, "train", make)
    assert main(["train", "--help"]) == main(["train", "--help"]) == 0
    assert capsys.readouterr().out == "usage: --help\n" * 2 and len(make.calls) == 1


@pytest.mark.parametrize("arguments", ["--version", "--help", "predict --help", "data --help", "show --help"])
def test_light_pages_import_no_torch(arguments):
    code = f"import sys; from ccnn_geo.cli import main\ntry: main({arguments.split()!r})\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'torch_geometric', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
