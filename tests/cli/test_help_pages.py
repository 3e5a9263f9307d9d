"""Help that takes seconds to find out is remembered, and forgotten when what it depends on changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ccnn_geo.cli import _main, help_pages, main
from ccnn_geo.cli.help_pages import PAGES, is_general, live_page, shipped_page, show_help, write_pages
from ccnn_geo.experiments.engine.write_help import shipped_pages


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
        show_help("fly", ["--help"], make)
    show_help("fly", ["-h"], make)  # the same
    assert capsys.readouterr().out == "usage: --help\n" * 4
    assert make.calls == [["--help"]]


def test_other_arguments_and_versions_have_pages_of_their_own(make, monkeypatch):
    show_help("fly", ["--help"], make)
    show_help("fly", ["--help-all"], make)
    show_help("swim", ["--help"], make)
    monkeypatch.setattr(help_pages.metadata, "version", lambda name: "99")
    show_help("fly", ["--help"], make)
    assert len(make.calls) == 4


def test_pages_are_of_one_width(make, monkeypatch):
    widths = []
    for columns in ("40", "200", None):
        monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS")
        show_help(f"fly {columns}", ["--help"], lambda _: widths.append(shutil.get_terminal_size().columns))
        assert os.environ.get("COLUMNS") == columns
    assert widths == [80, 80, 80]


@pytest.mark.parametrize("line", shipped_pages(), ids=" ".join)
def test_pages_that_come_with_the_package_are_what_the_commands_print(line):
    """If not: python -m ccnn_geo.experiments.engine.write_help."""
    shipped = shipped_page(line[0], line[1:])
    if shipped is None:
        known = (PAGES / "versions.txt").read_text().splitlines()
        pytest.skip(f"pages were made with {', '.join(known)}, others are installed")
    assert shipped == live_page(line[1:], shipped_pages()[line])


def test_pages_that_come_with_the_package_are_shown_at_once(make, monkeypatch, tmp_path, capsys):
    for page in PAGES.iterdir():
        (tmp_path / page.name).write_bytes(page.read_bytes())
    monkeypatch.setattr(help_pages, "PAGES", tmp_path)
    made_with = dict(line.split() for line in (PAGES / "versions.txt").read_text().splitlines())
    monkeypatch.setattr(help_pages.metadata, "version", lambda name: f"{made_with[name]}+cpu")
    show_help("train", ["-h"], make)
    assert capsys.readouterr().out == (PAGES / "train.help.txt").read_text() and make.calls == []
    show_help("train", ["--data.dataset", "cifar10", "--help"], make)
    monkeypatch.setattr(help_pages.metadata, "version", lambda name: f"{made_with[name]}.1")
    show_help("train", ["--help"], make)
    assert make.calls == [["--data.dataset", "cifar10", "--help"], ["--help"]]


def test_pages_are_made_with_the_versions_of_the_constraints():
    constraints = Path(__file__).parents[2] / "constraints.txt"
    pinned = {
        line.partition(";")[0].strip().replace("_", "-") for line in constraints.read_text().splitlines()
    }
    assert {line.replace(" ", "==") for line in (PAGES / "versions.txt").read_text().splitlines()} <= pinned


def test_writing_the_pages(make, monkeypatch, tmp_path):
    monkeypatch.setattr(help_pages, "PAGES", tmp_path / "help")
    write_pages({("fly", "--help"): make})
    assert (tmp_path / "help" / "fly.help.txt").read_text() == "usage: --help\n"
    assert shipped_page("fly", ["--help"]) == "usage: --help\n" and shipped_page("swim", ["--help"]) is None
    (tmp_path / "fly.help.txt").touch()
    assert shipped_page("reproduce", ["/../../fly", "--help"]) is None


def test_a_changed_source_has_a_new_page(make, monkeypatch, tmp_path):
    source = tmp_path / "sources" / "option.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(help_pages, "PACKAGE", source.parent)
    show_help("fly", ["--help"], make)
    os.utime(source, ns=(1, 1))
    show_help("fly", ["--help"], make)
    assert len(make.calls) == 2


@pytest.mark.parametrize("home", [True, False])
def test_a_folder_that_cannot_be_written_to_costs_only_time(make, monkeypatch, tmp_path, capsys, home):
    (tmp_path / "file").write_text("")
    if home:
        monkeypatch.setenv("CCNN_GEO_CACHE", str(tmp_path / "file"))
    else:
        monkeypatch.delenv("CCNN_GEO_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", "")
        monkeypatch.setattr(help_pages.Path, "home", lambda: Path("~nobody_of_this_name").expanduser())
    for _ in range(2):
        show_help("fly", ["--help"], make)
    assert capsys.readouterr().out == "usage: --help\n" * 2 and len(make.calls) == 2


def test_an_error_is_not_remembered(make, tmp_path):
    def fails(arguments):
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        show_help("fly", ["--help"], fails)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("line", "general"),
    [
        ("train --help", True),
        ("train -h", True),
        ("train --data.dataset cifar10 --help-all", True),
        ("train --config a.yaml --help", False),
        ("test runs/a --help", False),
        ("train --data.dataset cifar10", False),
        ("train", False),
        ("reproduce table1 --help", True),
        ("reproduce table1 --root data --help", False),
    ],
)
def test_only_pages_that_no_file_decides_on_are_remembered(line, general):
    command, *arguments = line.split()
    assert is_general(command, arguments) is general


def test_the_command_line_remembers(make, monkeypatch, capsys):
    asked = ["train", "--data.dataset", "cifar10", "--help"]
    monkeypatch.setitem(_main.COMMANDS, "train", make)
    assert main(asked) == main(asked) == 0
    assert capsys.readouterr().out == "usage: --data.dataset cifar10 --help\n" * 2 and len(make.calls) == 1


@pytest.mark.parametrize(
    "arguments", ["--version", "--help", "train --help", "predict --help", "data --help", "show --help"]
)
def test_light_pages_import_no_torch(arguments):
    code = f"import sys; from ccnn_geo.cli import main\ntry: main({arguments.split()!r})\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'torch_geometric', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
