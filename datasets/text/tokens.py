"""Sequences of tokens: a vocabulary, compact storage, and the representation for networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.io.files.storage import read_arrays, write_atomic

PAD, UNKNOWN, END = 0, 1, 2
"""Ids in every vocabulary: padding before a sequence, an unknown token, the end after the last token."""

SPECIALS = ("<pad>", "<unk>", "<eos>")
REPRESENTATIONS = ("one_hot", "ids", "raw")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and their ids: three special ones, then the symbols in their order.

    Args:
        symbols: All different tokens.
    """

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError(f"vocabulary: tokens must differ from each other and from {', '.join(SPECIALS)}")

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """All tokens, in the order of their ids."""
        return (*SPECIALS, *self.symbols)

    @cached_property
    def id_of(self) -> dict[str, int]:
        """Id of each token."""
        return {token: i for i, token in enumerate(self.tokens)}

    @property
    def dtype(self) -> np.dtype:
        """Smallest type that holds all ids."""
        return np.dtype(np.uint8 if len(self) <= 256 else np.uint16)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Returns ids ``[T]`` of a sequence, :data:`UNKNOWN` for tokens outside the vocabulary."""
        return np.array([self.id_of.get(token, UNKNOWN) for token in tokens], dtype=self.dtype)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Returns the tokens of a sequence, without padding and end."""
        return [self.tokens[int(i)] for i in ids if i not in (PAD, END)]


class Ragged:
    """Sequences of different lengths in one array.

    Args:
        values: All sequences, one after another.
        offset: Start of each sequence, and end of the last.

    Shapes:
        ``values [T]``, ``offset [N + 1]``; ``ragged[i]`` is ``values[offset[i] : offset[i + 1]]``.

    Raises:
        ValueError: Unless the offsets ascend from 0 to T.
    """

    def __init__(self, values: np.ndarray, offset: np.ndarray) -> None:
        offset = np.asarray(offset)
        fits = offset.ndim == 1 and len(offset) > 0 and offset[0] == 0 and offset[-1] == len(values)
        if not fits or (np.diff(offset) < 0).any():
            raise ValueError(f"offsets must ascend from 0 to {len(values)}, got {offset}")
        self.values, self.offset = values, offset

    @classmethod
    def of(cls, sequences: Sequence[np.ndarray], dtype: np.dtype) -> Ragged:
        """Makes one from a list of arrays ``[T_i]``."""
        offset = np.cumsum([0, *map(len, sequences)])
        return cls(np.concatenate([np.empty(0, dtype), *sequences]).astype(dtype, copy=False), offset)

    @property
    def lengths(self) -> np.ndarray:
        """Length of each sequence ``[N]``."""
        return np.diff(self.offset)

    def __len__(self) -> int:
        return len(self.offset) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.values[self.offset[index] : self.offset[index + 1]]


def save_tokens(path: Path, tokens: Ragged, y: np.ndarray, vocabulary: Vocabulary) -> None:
    """Writes sequences, labels and vocabulary to one file; hold its lock if other processes may write it too."""
    for stale in path.parent.glob(f".{path.name}.*.tmp"):  # left by a process that was killed
        stale.unlink(missing_ok=True)
    write_atomic(
        path,
        partial(
            np.savez, tokens=tokens.values, offset=tokens.offset, y=y, symbols=np.array(vocabulary.symbols)
        ),
    )


def load_tokens(path: Path) -> tuple[Ragged, np.ndarray, Vocabulary]:
    """Reads the file of :func:`save_tokens`.

    Raises:
        ValueError: If the file is damaged.
    """
    stored = read_arrays(path, ("tokens", "offset", "y", "symbols"))
    try:
        tokens = Ragged(stored["tokens"], stored["offset"])
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}); remove this file to have it made again") from error
    return tokens, stored["y"], Vocabulary(tuple(stored["symbols"].tolist()))


@dataclass(frozen=True)
class TokenEncoder:
    """Pads a sequence of ids on the left, closes it with :data:`END`, and represents it.

    Causal networks read the prediction at the last position, so every sequence ends there.

    Args:
        num_tokens: Size V of the vocabulary.
        length: Length L of every sequence; longer ones keep their first ``length - 1`` tokens.
        representation: One of :data:`REPRESENTATIONS`, see :class:`TokenDataset`.

    Shapes:
        ids ``[T]`` -> ``[V, L]`` float32, ``[L]`` int64 or ``[1, L]`` float32.

    Raises:
        ValueError: For an unknown representation or a length without room for a token.
    """

    num_tokens: int
    length: int
    representation: str = "one_hot"

    def __post_init__(self) -> None:
        if self.representation not in REPRESENTATIONS:
            raise ValueError(
                f"representation: expected one of {', '.join(REPRESENTATIONS)}, got {self.representation!r}"
            )
        if self.length < 2:
            raise ValueError(f"length must be 2 or more, for a token and the end, got {self.length}")

    def __call__(self, row: np.ndarray) -> Tensor:
        ids = torch.from_numpy(row[: self.length - 1].astype(np.int64))
        start = self.length - len(ids) - 1
        if self.representation == "one_hot":
            grid = torch.zeros(self.num_tokens, self.length)
            grid[ids, torch.arange(start, self.length - 1)] = 1
            grid[END, -1] = 1
            return grid
        padded = torch.full((self.length,), PAD)
        padded[start:-1], padded[-1] = ids, END
        return padded if self.representation == "ids" else padded[None].float()


class TokenDataset(SignalDataset):
    """Labelled sequences of tokens, padded on the left to one length.

    ``representation`` chooses the form for the network:

    - ``"one_hot"``: a channel for each token of the vocabulary, all zero for padding. A pointwise convolution of it
      is an embedding without a term for padding.
    - ``"ids"``: the ids themselves, for ``torch.nn.Embedding(data.num_tokens, channels, padding_idx=0)``.
    - ``"raw"``: one channel with the ids as numbers, as in the authors' released loaders. The network then depends on
      the order of the tokens, which has no meaning.

    Args:
        values: Ids of each sequence, without padding and end.
        y: Labels ``[N]``.
        classes: Names of the classes.
        vocabulary: Tokens of the ids.
        length: Length L of every sample, including the :data:`END` that closes it.
        representation: As above.
        transform: Applied to each sample at every access.

    Shapes:
        ``dataset[i]`` is ``([V, L] or [1, L] float32, label)``; for ``"ids"`` ``([L] int64, label)``.

    Raises:
        ValueError: For an unknown representation, or ids that the vocabulary does not have.
    """

    def __init__(
        self,
        values: Ragged,
        y: np.ndarray,
        classes: Sequence[str],
        vocabulary: Vocabulary,
        length: int,
        representation: str = "one_hot",
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if len(values.values) and int(values.values.max()) >= len(vocabulary):
            raise ValueError(f"id {int(values.values.max())} in a vocabulary of {len(vocabulary)} tokens")
        encode = TokenEncoder(len(vocabulary), length, representation)
        super().__init__(values, y, classes, encode, transform)
        self.vocabulary, self.representation = vocabulary, representation

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.vocabulary)

    @property
    def in_channels(self) -> int:
        """Channels of a sample.

        Raises:
            ValueError: For ids, which have no channels before they are embedded.
        """
        if self.representation == "ids":
            raise ValueError(
                f"ids have no channels before torch.nn.Embedding({self.num_tokens}, channels, padding_idx={PAD})"
            )
        return self.grid_shape[0]

    @property
    def size(self) -> tuple[int, ...]:
        """Samples along each axis."""
        return self.grid_shape[-1:]
