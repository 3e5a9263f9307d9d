import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ccnn_geo.datasets.text.tokens import (
    END,
    PAD,
    UNKNOWN,
    Ragged,
    TokenDataset,
    TokenEncoder,
    Vocabulary,
    load_tokens,
    save_tokens,
)

ABC = Vocabulary(("a", "b", "c"))


def make(representation="one_hot", length=6, texts=("abca", "", "bbbbbbb")):
    values = Ragged.of([ABC.encode(text) for text in texts], ABC.dtype)
    return TokenDataset(values, [0, 1, 1], ["x", "y"], ABC, length, representation)


def test_vocabulary():
    assert ABC.tokens == ("<pad>", "<unk>", "<eos>", "a", "b", "c") and len(ABC) == 6
    assert ABC.encode("caz").tolist() == [5, 3, UNKNOWN] and ABC.encode("").dtype == np.uint8
    assert ABC.decode([PAD, 5, 3, END]) == ["c", "a"]
    assert Vocabulary(tuple(map(chr, range(300, 600)))).dtype == np.uint16
    for symbols in (("a", "a"), ("<pad>",)):
        with pytest.raises(ValueError, match="must differ"):
            Vocabulary(symbols)


def test_ragged():
    ragged = Ragged.of([np.array([1, 2]), np.array([]), np.array([3])], np.dtype(np.uint8))
    assert [ragged[i].tolist() for i in range(3)] == [[1, 2], [], [3]]
    assert ragged.lengths.tolist() == [2, 0, 1] and ragged.values.dtype == np.uint8
    for offset in ([0, 2, 1, 3], [0, 2], [1, 3], []):
        with pytest.raises(ValueError, match="ascend from 0 to 3"):
            Ragged(ragged.values, np.array(offset))


def test_ids_are_padded_on_the_left_and_closed():
    data = make("ids")
    assert data[0][0].tolist() == [PAD, 3, 4, 5, 3, END] and data[0][0].dtype == torch.int64
    assert data[1][0].tolist() == [PAD] * 5 + [END]
    assert data[2][0].tolist() == [4] * 5 + [END]  # cut to five tokens
    assert data.num_tokens == 6 and data.size == (6,)
    with pytest.raises(ValueError, match=r"Embedding\(6, channels"):
        data.in_channels  # noqa: B018


def test_one_hot_is_zero_where_there_is_padding():
    grids, ids = make(), make("ids")
    for (grid, label), (row, same) in zip(grids, ids, strict=True):
        expected = torch.nn.functional.one_hot(row, 6).T.float()
        expected[PAD] = 0
        assert torch.equal(grid, expected) and label == same
    assert (grids.in_channels, grids.size) == (6, (6,)) and grids[0][0].dtype == torch.float32


def test_a_pointwise_convolution_of_one_hot_is_an_embedding():
    embedding = torch.nn.Embedding(6, 3, padding_idx=PAD)
    layer = torch.nn.Conv1d(6, 3, 1, bias=False)
    layer.weight.data = embedding.weight.data.T[..., None].clone()
    x, _ = next(iter(DataLoader(make(), batch_size=3)))
    ids, y = next(iter(DataLoader(make("ids"), batch_size=3)))
    torch.testing.assert_close(layer(x), embedding(ids).transpose(1, 2))
    assert y.tolist() == [0, 1, 1]


def test_raw_is_the_ids_as_numbers():
    data = make("raw")
    assert data[0][0].shape == (1, 6) and data[0][0].dtype == torch.float32 and data.in_channels == 1
    assert data[0][0][0].tolist() == make("ids")[0][0].tolist()


def test_refusals():
    with pytest.raises(ValueError, match="one of one_hot, ids, raw, got 'bytes'"):
        make("bytes")
    with pytest.raises(ValueError, match="2 or more"):
        TokenEncoder(6, 1)
    with pytest.raises(ValueError, match="id 9 in a vocabulary of 6"):
        TokenDataset(Ragged(np.array([9]), np.array([0, 1])), [0], ["x"], ABC, 4)


def test_storage(tmp_path):
    data = make()
    save_tokens(tmp_path / "a.npz", data.values, data.y.numpy(), ABC)
    tokens, y, vocabulary = load_tokens(tmp_path / "a.npz")
    assert tokens[0].tolist() == [3, 4, 5, 3] and y.tolist() == [0, 1, 1] and vocabulary == ABC
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged"):
        load_tokens(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", tokens=np.zeros(3, np.uint8), offset=[0, 9], y=[0], symbols=["a"])
    with pytest.raises(ValueError, match=r"b\.npz: damaged .*ascend from 0 to 3"):
        load_tokens(tmp_path / "b.npz")
