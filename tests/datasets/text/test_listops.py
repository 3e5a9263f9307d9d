import io
import tarfile

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ccnn_geo.datasets.text import listops
from ccnn_geo.datasets.text.listops import ListOps, generate, parse_source, read_tsv
from ccnn_geo.datasets.text.listops_grammar import (
    VOCABULARY,
    Grammar,
    depth,
    evaluate,
    generate_expressions,
    to_source,
)
from ccnn_geo.datasets.text.tokens import Ragged
from tests.datasets.few_steps import losses_of_few_steps

SMALL = Grammar(max_depth=5, max_args=4, min_length=5, max_length=40)
COUNTS = {"train": 30, "validation": 10, "test": 10}
FOLDER = "lra/listops-1000"


def ids(text):
    return VOCABULARY.encode(text.split())


@pytest.fixture
def folder(tmp_path):
    generate(tmp_path / FOLDER, COUNTS, grammar=SMALL)
    return tmp_path / FOLDER


@pytest.mark.parametrize(
    ("text", "value", "levels"),
    [
        ("7", 7, 1),
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9, 3),
        ("[MIN 2 9 4 ]", 2, 2),
        ("[SM 8 9 5 ]", 2, 2),
        ("[MED 1 9 2 ]", 2, 2),
        ("[MED 1 4 ]", 2, 2),  # rounded down
        ("[MED 9 0 [SM 9 9 ] 3 ]", 5, 3),
    ],
)
def test_values(text, value, levels):
    assert evaluate(ids(text)) == value and depth(ids(text)) == levels


@pytest.mark.parametrize("text", ["", "1 2", "[MAX 1", "]", "[MAX ]", "1 ]", "[MAX 1 2 ] 3", "<unk>"])
def test_no_expressions(text):
    with pytest.raises(ValueError, match="no expression"):
        evaluate(ids(text))


def test_the_release_writes_binary_trees():
    assert to_source(ids("[SM 2 6 5 ]")) == "( ( ( ( [SM 2 ) 6 ) 5 ) ] )"
    nested = "[MAX [MIN 1 2 ] 3 ]"
    assert to_source(ids(nested)) == "( ( ( [MAX ( ( ( [MIN 1 ) 2 ) ] ) ) 3 ) ] )"
    assert parse_source(to_source(ids(nested)).encode()).tolist() == ids(nested).tolist()


@pytest.mark.parametrize(
    "source", [b"[MAX 1 12 ]", b"[FIRST 1 2 ]", b"[MAX m 1 ]", b"[MAX 1 \xff ]", b"[MAX1 2 ]"]
)
def test_unknown_tokens(source):
    with pytest.raises(ValueError, match="expected tokens out of 0 1"):
        parse_source(source)


def test_generated_expressions_have_the_value_that_is_said():
    tokens, y = generate_expressions(200, seed=3, grammar=SMALL)
    assert [evaluate(tokens[i]) for i in range(200)] == y.tolist()
    assert tokens.lengths.min() > 5 and tokens.lengths.max() < 40
    assert max(depth(tokens[i]) for i in range(200)) == 5
    assert len({tokens[i].tobytes() for i in range(200)}) == 200


def test_seeds_decide():
    a, b, c = (generate_expressions(n, seed, SMALL)[0] for n, seed in ((50, 1), (80, 1), (50, 2)))
    assert np.array_equal(a.values, b.values[: len(a.values)])
    assert not np.array_equal(a.values[:100], c.values[:100])
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    assert np.array_equal(generate_expressions(50, 1, SMALL)[0].values, a.values)


def test_impossible_grammars():
    with pytest.raises(ValueError, match="max_args >= 2"):
        Grammar(max_args=1)
    with pytest.raises(ValueError, match="no length strictly between 5 and 6"):
        Grammar(min_length=5, max_length=6)
    with pytest.raises(ValueError, match="only 10 of 11 different expressions"):
        generate_expressions(11, grammar=Grammar(max_depth=1, min_length=0, max_length=2))


def test_official_files(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(listops, "COUNTS", COUNTS)
    splits = {split: ListOps(tmp_path, split, download=False, max_length=64) for split in COUNTS}
    assert {split: len(data) for split, data in splits.items()} == COUNTS
    train = splits["train"]
    grid, label = train[0]
    assert grid.shape == (18, 64) and grid.dtype == torch.float32 and train.num_classes == 10
    row = (folder / "basic_train.tsv").read_bytes().split(b"\r\n")[1]
    source, target = row.split(b"\t")
    assert label == int(target)
    assert VOCABULARY.decode(grid.argmax(0)) == source.decode().replace("(", "").replace(")", "").split()
    assert train.info.in_channels == train.in_channels and train.info.classes == train.num_classes
    texts = {data.values[i].tobytes() for data in splits.values() for i in range(len(data))}
    assert len(texts) == 50  # nothing is in two splits

    for path in folder.iterdir():  # the stored ids are enough
        path.unlink()
    again = ListOps(tmp_path, "train", download=False, max_length=64, representation="ids")
    assert torch.equal(again[3][0], ListOps(tmp_path, max_length=64, representation="ids")[3][0])


def test_generated_without_files(tmp_path, folder):
    kwargs = {"grammar": SMALL, "max_length": 64}
    for split in COUNTS:
        made = ListOps(tmp_path / "made", split, generate=COUNTS, **kwargs)
        read = ListOps(tmp_path, split, check_counts=False, max_length=64)
        assert torch.equal(made.y, read.y) and np.array_equal(made.values.values, read.values.values)
    stored = {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*.npz")}
    ListOps(tmp_path / "made", "test", generate=COUNTS, **kwargs)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*.npz")} == stored
    ListOps(tmp_path / "made", "test", generate=COUNTS, seed=1, **kwargs)
    assert len(list((tmp_path / "made").rglob("*.npz"))) == 2 * len(stored)
    with pytest.raises(ValueError, match="positive number for each of train, validation, test"):
        ListOps(tmp_path, generate={"train": 3})


def test_only_its_folder_is_unpacked(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(listops, "COUNTS", COUNTS)
    root = tmp_path / "root"
    (root / "lra").mkdir(parents=True)
    with tarfile.open(root / "lra/lra_release.gz", "w:gz") as archive:
        archive.add(folder, "lra_release/lra_release/listops-1000")
        other = tarfile.TarInfo("lra_release/lra_release/pathfinder32/x.png")
        archive.addfile(other, io.BytesIO())
    assert len(ListOps(root, "test", download=False)) == 10
    assert {p.name for p in (root / "lra").iterdir() if not p.name.startswith(".")} == {
        "lra_release.gz",
        "listops-1000",
    }
    (root / "lra/lra_release.gz").write_bytes((root / "lra/lra_release.gz").read_bytes()[:500])
    (root / "lra/listops-1000").rename(root / "gone")
    with pytest.raises(ValueError, match="damaged archive"):
        ListOps(root, "train", download=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected the header"),
        (b"Source,Target\n", "expected the header"),
        (b"Source\tTarget\n", "0 expressions"),
        (b"Source\tTarget\n( 1\t3\n1\t10\n", "line 3: expected a Target of 0 to 9, got b'10'"),
        (b"Source\tTarget\n( ( [MAX 1 ", "line 2: expected a Target"),
        (b"Source\tTarget\n[FIRST 1 2 ]\t1\n", r"line 2: expected tokens .* got \[b'\[FIRST'\]"),
        (b"Source\tTarget\n( )\t1\n", "line 2: expected an expression"),
        (b"Source\tTarget\n[MAX 1 2\t2\n", "line 2: expected an expression"),
        (b"Source\tTarget\n\xff\xfe\t1\n", "line 2: expected tokens"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_tsv(tmp_path / "a.tsv")


def test_refusals(tmp_path, folder):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'val'"):
        ListOps(tmp_path, "val")
    with pytest.raises(ValueError, match="30 expressions, expected 96000"):
        ListOps(tmp_path)
    assert not list((tmp_path / "processed").rglob("*.npz"))
    (folder / "basic_test.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"no basic_test\.tsv; place it there"):
        ListOps(tmp_path, "test")
    with pytest.raises(FileNotFoundError, match=r"listops-1000.*generate=True"):
        ListOps(tmp_path / "empty", download=False)


def test_offline_says_what_to_place(tmp_path, monkeypatch):
    def offline(*args):
        raise ConnectionError("could not fetch it")

    monkeypatch.setattr("ccnn_geo.datasets.base.lra.fetch", offline)
    with pytest.raises(
        ConnectionError, match=r"could not fetch it; its folder listops-1000 alone at .*generate"
    ):
        ListOps(tmp_path)


def test_against_expressions_of_the_real_grammar(shared):
    with np.load(shared("listops_4000.npz")) as given:
        order = [VOCABULARY.id_of[token] for token in given["vocab"]]
        real, y = Ragged(np.array(order, np.uint8)[given["tokens"]], given["offset"]), given["label"]
    some = range(0, 4000, 8)
    assert [evaluate(real[i]) for i in some] == y[some].tolist()
    made, made_y = generate_expressions(4000)
    assert made.lengths.min() > 500 and made.lengths.max() < 2000
    quantiles = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(
        np.quantile(made.lengths, quantiles), np.quantile(real.lengths, quantiles), rtol=0.06
    )
    np.testing.assert_allclose(np.bincount(made_y) / 4000, np.bincount(y) / 4000, atol=0.025)
    tokens = [np.bincount(t.values, minlength=18) / len(t.values) for t in (made, real)]
    np.testing.assert_allclose(*tokens, atol=0.001)
    assert {depth(made[i]) for i in range(500)} == {depth(real[i]) for i in range(500)} == {10}


def test_a_training_step(tmp_path):
    data = ListOps(tmp_path, generate=COUNTS, grammar=SMALL, max_length=64)
    x, y = next(iter(DataLoader(data, batch_size=8)))
    losses = losses_of_few_steps(x, y, 10)
    assert min(losses[1:]) < losses[0]
