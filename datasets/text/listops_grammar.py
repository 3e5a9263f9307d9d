"""Nested operations on digits (Nangia and Bowman, 2018) as drawn for the Long Range Arena: grammar and values.

An expression is a digit or ``[OP a b ... ]``: MIN, MAX, MED (rounded down) or SM (sum modulo 10) of two expressions
or more. Every expression above the greatest depth is an operation with probability 1/4, with 2 to ``max_args``
arguments, all equally probable, and a digit otherwise. Expressions are kept once each if their number of tokens lies
strictly between ``min_length`` and ``max_length``.
Source: ``lra_benchmarks/data/listops.py`` of https://github.com/google-research/long-range-arena.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccnn_geo.datasets.text.tokens import END, SPECIALS, Ragged, Vocabulary
from ccnn_geo.io.files.progress import progress

DIGITS = tuple("0123456789")
OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
VOCABULARY = Vocabulary((*DIGITS, *OPERATORS, "]"))
"""18 tokens: the special ones, ten digits, four operators, the closing bracket."""

DIGIT, OPERATOR, CLOSE = len(SPECIALS), len(SPECIALS) + 10, len(SPECIALS) + 14
"""Ids of ``0``, of ``[MIN`` and of ``]``."""

BATCH = 2048
"""Expressions drawn together, before short and long ones are left out; the result of a seed depends on it."""


@dataclass(frozen=True)
class Grammar:
    """Settings of the distribution of expressions; the defaults are the Long Range Arena's.

    Args:
        max_depth: Levels of an expression; on the last there are digits only.
        max_args: Most arguments of an operation.
        min_length: Fewest tokens, excluded; brackets count, parentheses do not.
        max_length: Most tokens, excluded.
        probability: Probability of an operation, above the last level.

    Raises:
        ValueError: For values out of range.
    """

    max_depth: int = 10
    max_args: int = 10
    min_length: int = 500
    max_length: int = 2000
    probability: float = 0.25

    def __post_init__(self) -> None:
        if self.max_depth < 1 or self.max_args < 2 or not 0 <= self.probability <= 1:
            raise ValueError(f"grammar: expected max_depth >= 1, max_args >= 2 and a probability, got {self}")
        if self.max_length - self.min_length < 2:
            raise ValueError(f"grammar: no length strictly between {self.min_length} and {self.max_length}")


LRA = Grammar()


def generate_expressions(num: int, seed: int = 0, grammar: Grammar = LRA) -> tuple[Ragged, np.ndarray]:
    """Generates different expressions with their values; a larger ``num`` only adds expressions at the end.

    Args:
        num: Number of expressions.
        seed: Seed of the generator.
        grammar: Distribution of the expressions.

    Shapes:
        Ids of ``num`` expressions, ragged, and values ``[num]`` uint8 in 0..9.

    Raises:
        ValueError: If the grammar does not give that many.
    """
    found: dict[bytes, int] = {}
    idle, batch = 0, 0
    with progress(total=num, title="expressions") as bar:
        while len(found) < num:
            before = len(found)
            tokens, values = _draw(np.random.default_rng([seed, batch]), grammar)
            for i, value in enumerate(values):
                found.setdefault(tokens[i].tobytes(), int(value))
            bar.update(len(found) - before)
            idle, batch = (idle + 1 if len(found) == before else 0), batch + 1
            if idle == 200:
                raise ValueError(
                    f"{grammar}: only {before} of {num} different expressions in {batch * BATCH} trials"
                )
    keys = list(found)[:num]
    tokens = Ragged.of([np.frombuffer(key, VOCABULARY.dtype) for key in keys], VOCABULARY.dtype)
    return tokens, np.array([found[key] for key in keys], dtype=np.uint8)


def _draw(rng: np.random.Generator, grammar: Grammar) -> tuple[Ragged, np.ndarray]:
    """Draws a batch of expressions, level by level for all at once, and drops those of other lengths."""
    levels: list[tuple] = []
    parent = np.full(BATCH, -1)
    while len(parent):
        is_op = rng.random(len(parent)) < (grammar.probability if len(levels) < grammar.max_depth - 1 else 0)
        args = np.where(is_op, rng.integers(2, grammar.max_args + 1, len(parent)), 0)
        what = np.where(is_op, rng.integers(0, 4, len(parent)), rng.integers(0, 10, len(parent)))
        levels.append((parent, is_op, args, what))
        parent = np.repeat(np.arange(len(parent)), args)
    lengths, values = _lengths_and_values(levels)
    fits = (lengths[0] > grammar.min_length) & (lengths[0] < grammar.max_length)
    return _write(levels, lengths, fits), values[0][fits].astype(np.uint8)


def _lengths_and_values(levels: Sequence[tuple]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tokens and value of every node of every level, from the leaves up."""
    lengths: list[np.ndarray] = []
    values: list[np.ndarray] = []
    for depth in reversed(range(len(levels))):
        _, is_op, args, what = levels[depth]
        length, value = np.ones(len(what), np.int64), what.copy()
        if is_op.any():
            first = np.cumsum(args[is_op]) - args[is_op]  # the arguments lie side by side
            length[is_op] = 2 + np.add.reduceat(lengths[-1], first)
            value[is_op] = _apply(what[is_op], values[-1], first, args[is_op])
        lengths.append(length)
        values.append(value)
    return lengths[::-1], values[::-1]


def _apply(operator: np.ndarray, values: np.ndarray, first: np.ndarray, args: np.ndarray) -> np.ndarray:
    """Value of operations on the segments of ``values`` that begin at ``first``."""
    segment = np.repeat(np.arange(len(first)), args)
    ordered = values[np.lexsort((values, segment))]
    median = (ordered[first + (args - 1) // 2] + ordered[first + args // 2]) // 2
    minimum, maximum = ordered[first], ordered[first + args - 1]
    return np.choose(operator, [minimum, maximum, median, np.add.reduceat(values, first) % 10])


def _write(levels: Sequence[tuple], lengths: Sequence[np.ndarray], keep: np.ndarray) -> Ragged:
    """Tokens of the kept expressions, one after another, from the root down."""
    offset = np.concatenate([[0], np.cumsum(lengths[0][keep])])
    tokens = np.empty(offset[-1], VOCABULARY.dtype)
    start = np.full(len(keep), -1)  # -1 for expressions that are not kept
    start[keep] = offset[:-1]
    for depth, (_, is_op, args, what) in enumerate(levels):
        alive = start >= 0
        tokens[start[alive]] = (what + np.where(is_op, OPERATOR, DIGIT))[alive]
        tokens[(start + lengths[depth] - 1)[alive & is_op]] = CLOSE
        if depth + 1 < len(levels):
            before = np.cumsum(lengths[depth + 1]) - lengths[depth + 1]
            first = (np.cumsum(args) - args)[is_op]
            within = before - np.repeat(before[first], args[is_op])
            mother = np.repeat(start, args)
            start = np.where(mother >= 0, mother + 1 + within, -1)
    return Ragged(tokens, offset)


def evaluate(ids: Sequence[int]) -> int:
    """Computes the value of an expression.

    Args:
        ids: Its tokens as ids of :data:`VOCABULARY`; an ``<eos>`` at the end is allowed.

    Raises:
        ValueError: If it is not an expression: an operation without arguments, brackets that do not match.
    """
    stack: list[list[int]] = [[-1]]  # operator, then values; the lowest collects the result
    for place, i in enumerate(ids):
        if DIGIT <= i < OPERATOR:
            stack[-1].append(int(i) - DIGIT)
        elif OPERATOR <= i < CLOSE:
            stack.append([int(i) - OPERATOR])
        elif i == CLOSE and len(stack) > 1 and len(stack[-1]) > 1:
            operator, *args = stack.pop()
            stack[-1].append(_value(operator, args))
        elif i != END:
            raise ValueError(f"no expression: token {i} at {place}, after {len(stack) - 1} open brackets")
    if len(stack) > 1 or len(stack[0]) != 2:
        raise ValueError(
            f"no expression: {len(stack) - 1} brackets are open at the end, {len(stack[0]) - 1} values outside"
        )
    return stack[0][1]


def _value(operator: int, args: list[int]) -> int:
    if operator == 2:
        ordered = sorted(args)
        return (ordered[(len(args) - 1) // 2] + ordered[len(args) // 2]) // 2
    return (min(args), max(args), 0, sum(args) % 10)[operator]


def depth(ids: Sequence[int]) -> int:
    """Levels of an expression: 1 for a digit, 2 for an operation on digits."""
    tokens = np.asarray(ids)
    opens = (tokens >= OPERATOR) & (tokens < CLOSE)
    return 1 + int(np.cumsum(opens.astype(int) - (tokens == CLOSE)).max(initial=0))


def to_source(ids: Sequence[int] | np.ndarray) -> str:
    """Writes an expression as in the release: a binary tree, ``( ( ( [SM 2 ) 6 ) ] )`` for ``[SM 2 6 ]``."""
    pieces: list[str] = []
    open_ops: list[
        tuple[int, int]
    ] = []  # for each open operation: the place of its operator in the pieces, and its arguments so far
    for i in ids:
        if OPERATOR <= i < CLOSE:
            open_ops.append((len(pieces), 0))
            pieces.append(VOCABULARY.tokens[i])
            continue
        piece = VOCABULARY.tokens[i]
        if i == CLOSE:
            place, args = open_ops.pop()
            pieces[place] = "( " * (args + 1) + pieces[place]
            piece = "] )"
        if open_ops:
            place, args = open_ops[-1]
            open_ops[-1] = place, args + 1
            piece += " )"
        pieces.append(piece)
    return " ".join(pieces)
