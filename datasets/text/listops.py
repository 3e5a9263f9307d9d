"""ListOps of the Long Range Arena (Nangia and Bowman, 2018; Tay et al., 2021): the value of nested operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from torch import Tensor

from ccnn_geo.datasets.base import lra
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.text.listops_grammar import (
    CLOSE,
    DIGITS,
    LRA,
    OPERATOR,
    OPERATORS,
    VOCABULARY,
    Grammar,
    generate_expressions,
    to_source,
)
from ccnn_geo.datasets.text.tokens import UNKNOWN, Ragged, TokenDataset, load_tokens, save_tokens
from ccnn_geo.io.files.storage import exclusive, write_atomic

FILES = {"train": "basic_train.tsv", "validation": "basic_val.tsv", "test": "basic_test.tsv"}
COUNTS = {"train": 96_000, "validation": 2_000, "test": 2_000}
HEADER = b"Source\tTarget"


class ListOps(TokenDataset):
    """ListOps: expressions such as ``[MAX 2 9 [MIN 4 7 ] 0 ]`` of 500 to 2,000 tokens, and their value, 0 to 9.

    Reads ``basic_train.tsv``, ``basic_val.tsv`` and ``basic_test.tsv`` in ``root/lra/listops-1000``, from the release
    (``lra_release.gz``, fetched into ``root/lra`` if needed; only this folder is unpacked) or written by
    :func:`generate`. The parentheses of the release repeat the brackets and are left out, as is common. The vocabulary
    is that of the grammar, always the same 18 tokens. Every sequence is closed by ``<eos>`` and padded on the left to
    2,048. The ids are stored in ``root/processed/lra``, a byte each.

    Args:
        root: Folder of all data sets.
        split: "train", "validation" or "test".
        download: Fetch the release if needed.
        checksum: Digest that the archive must have; the publisher gives none.
        transform: Applied to each sample at every access.
        representation: "one_hot", "ids" or "raw", see :class:`~ccnn_geo.datasets.text.tokens.TokenDataset`.
        max_length: Length of every sample.
        check_counts: Insist on 96,000, 2,000 and 2,000 expressions; otherwise the files are checked every time.
        generate: Make the expressions instead of reading them: True for as many as the release has, or a number for
            each split, such as ``{"train": 1000, "validation": 100, "test": 100}``. Needs no download.
        seed: Seed of the generator.
        grammar: Grammar of the generator.

    Shapes:
        ``dataset[i]`` is ``([18, 2048], label)``, see :class:`~ccnn_geo.datasets.text.tokens.TokenDataset`.

    Raises:
        ConnectionError: If the release cannot be fetched; the message says which file to place where.
        FileNotFoundError: If a file is missing and ``download`` is False.
        ValueError: For an unknown split, unknown tokens, labels out of range, or another number of expressions.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     train = ListOps(root, generate={"train": 4, "validation": 1, "test": 1})
        >>> train
        ListOps(4 samples [18, 2048], 10 classes)
        >>> train.vocabulary.tokens[-5:]
        ('[MIN', '[MAX', '[MED', '[SM', ']')
    """

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="listops",
        title="LRA ListOps: the value of nested operations on digits",
        family="sequence",
        in_channels=len(VOCABULARY),
        size=(2048,),
        classes=10,
        counts=COUNTS,
        folder=lra.FOLDER,
        files=(lra.RELEASE,),
        prepared=770_000_000,
        source="Nangia and Bowman, 2018; Tay et al., 2021 (Long Range Arena); appendix B",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
        representation: str = "one_hot",
        max_length: int = 2048,
        check_counts: bool = True,
        generate: bool | Mapping[str, int] = False,
        seed: int = 0,
        grammar: Grammar = LRA,
    ) -> None:
        if split not in FILES:
            raise ValueError(f"{self.info.name} has the splits {', '.join(FILES)}, got {split!r}")
        root = Path(root).expanduser()
        processed = root / "processed" / lra.FOLDER
        if generate is not False:
            counts = _counts(COUNTS if generate is True else generate)
            key = f"listops-generated-{digest(counts, seed, grammar)}"
            with exclusive(processed, key):
                if not (processed / f"{key}-test.npz").exists():  # written last
                    for name, (tokens, y) in _generated(counts, seed, grammar).items():
                        save_tokens(processed / f"{key}-{name}.npz", tokens, y, VOCABULARY)
            stored = processed / f"{key}-{split}.npz"
        else:
            stored = processed / f"listops-{split}.npz"
            if not check_counts or not stored.exists():
                file = self._file(root, split, download, checksum)
                if not check_counts:  # the key includes the files
                    status = file.stat()
                    stored = processed / f"listops-{split}-{digest(status.st_size, status.st_mtime_ns)}.npz"
                with exclusive(processed, stored.name):
                    if not stored.exists():
                        save_tokens(
                            stored, *read_tsv(file, COUNTS[split] if check_counts else None), VOCABULARY
                        )
        tokens, y, vocabulary = load_tokens(stored)
        super().__init__(tokens, y, DIGITS, vocabulary, max_length, representation, transform)

    @staticmethod
    def _file(root: Path, split: str, download: bool, checksum: str | None) -> Path:
        folder = lra.part(
            root, "listops-1000", download, checksum, "make the expressions with ListOps(root, generate=True)"
        )
        if not (folder / FILES[split]).is_file():
            raise FileNotFoundError(f"{folder} holds no {FILES[split]}; place it there")
        return folder / FILES[split]


def generate(
    folder: str | PathLike[str], counts: Mapping[str, int] = COUNTS, seed: int = 0, grammar: Grammar = LRA
) -> None:
    """Writes ``basic_train.tsv``, ``basic_val.tsv`` and ``basic_test.tsv`` as the Long Range Arena's script does.

    No expression is in two of them. A file of the full size takes about 6 kB per expression.

    Args:
        folder: Target folder, ``root/lra/listops-1000`` for :class:`ListOps`; created if needed.
        counts: Number of expressions of each split.
        seed: Seed of the generator.
        grammar: Distribution of the expressions.

    Raises:
        ValueError: For unknown splits, or if the grammar does not give that many expressions.
    """
    for split, (tokens, y) in _generated(_counts(counts), seed, grammar).items():
        lines = (f"{to_source(tokens[i])}\t{label}\r\n".encode() for i, label in enumerate(y))
        write_atomic(Path(folder).expanduser() / FILES[split], partial(_write_lines, lines))


def _write_lines(lines: Iterable[bytes], file: BinaryIO) -> None:
    file.write(HEADER + b"\r\n")
    file.writelines(lines)


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    if set(counts) != set(FILES) or min(counts.values()) < 1:
        raise ValueError(f"expected a positive number for each of {', '.join(FILES)}, got {dict(counts)}")
    return {split: int(counts[split]) for split in FILES}


def _generated(
    counts: Mapping[str, int], seed: int, grammar: Grammar
) -> dict[str, tuple[Ragged, np.ndarray]]:
    tokens, y = generate_expressions(sum(counts.values()), seed, grammar)
    splits, first = {}, 0
    for split, count in counts.items():
        offset = tokens.offset[first : first + count + 1]
        part = Ragged(tokens.values[offset[0] : offset[-1]], offset - offset[0])
        splits[split] = part, y[first : first + count]
        first += count
    return splits


_LETTERS = "mxds"  # stand for the operators, so that every token is one byte
_ID_OF_BYTE = np.full(256, UNKNOWN, VOCABULARY.dtype)
for _byte, _token in zip((*(str(d) for d in range(10)), *_LETTERS, "]"), VOCABULARY.symbols, strict=True):
    _ID_OF_BYTE[ord(_byte)] = VOCABULARY.id_of[_token]


def parse_source(source: bytes) -> np.ndarray:
    """Returns ids ``[T]`` of an expression as written in the release, without its parentheses.

    Raises:
        ValueError: For a token that is not in the grammar.
    """
    plain = source.translate(None, b"()")
    letters = plain
    for operator, letter in zip(OPERATORS, _LETTERS, strict=True):
        letters = letters.replace(operator.encode(), letter.encode())
    ids = _ID_OF_BYTE[np.frombuffer(b"".join(letters.split()), np.uint8)]
    words = plain.split()
    if len(ids) != len(words) or (ids == UNKNOWN).any() or any(c in plain for c in _LETTERS.encode()):
        unknown = [word for word in words if word.decode("latin-1") not in VOCABULARY.symbols]
        raise ValueError(f"expected tokens out of {' '.join(VOCABULARY.symbols)}, got {unknown[:3]}")
    return ids


def read_tsv(path: Path, count: int | None = None) -> tuple[Ragged, np.ndarray]:
    """Reads expressions and values from a file with the columns Source and Target.

    Args:
        path: The file.
        count: Required number of expressions; None accepts any.

    Shapes:
        Ids of N expressions, ragged, and values ``[N]`` uint8.

    Raises:
        ValueError: For a line that is not an expression and a digit, or a wrong number of lines.
    """
    tokens, values = [], []
    with path.open("rb") as file:
        header = file.readline(2**16).rstrip(b"\r\n")
        if header != HEADER:
            raise ValueError(f"{path}: expected the header {HEADER!r}, got {header[:80]!r}")
        for number, line in enumerate(file, 2):
            source, _, target = line.rstrip(b"\r\n").partition(b"\t")
            if len(target) != 1 or not target.isdigit():
                raise ValueError(f"{path}, line {number}: expected a Target of 0 to 9, got {target[:20]!r}")
            try:
                ids = parse_source(source)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            opened = (ids >= OPERATOR) & (ids < CLOSE)
            if not len(ids) or opened.sum() != (ids == CLOSE).sum():
                raise ValueError(f"{path}, line {number}: expected an expression, got {source[:40]!r}")
            tokens.append(ids)
            values.append(int(target))
    if not tokens or (count is not None and len(tokens) != count):
        raise ValueError(
            f"{path}: {len(tokens)} expressions, expected {count or 'some'}; it may be cut off. "
            f"Replace it, or accept it with check_counts=False"
        )
    return Ragged.of(tokens, VOCABULARY.dtype), np.array(values, dtype=np.uint8)
