"""Fewer cases for tests of many parameters: every pair of values, in place of every combination.

A fault that shows for one value, or for two values of two parameters together, is found as surely as by all
combinations; of 7 x 5 x 3 x 3 x 2 = 630 cases 35 are left. What must meet everything (a compiled engine, a device)
stays a parameter, or a fixture, of its own beside it.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

Choice = tuple[int, int]
"""A parameter's number and the number of a value."""


def pairwise(parameters: Mapping[str, Iterable[Any]]) -> tuple[str, list[list[Any]]]:
    """Arguments of ``pytest.mark.parametrize`` under which any two values of any two parameters meet in a test.

    The same cases at each call: each begins with the first two values that have not met, and takes of every other
    parameter, those with most values first, the value that meets most of the others for the first time; of equal
    ones, the least used.

    Args:
        parameters: Values by the argument's name. Several names, ``"size, taps"``, are one parameter, whose values
            are tuples, as for ``parametrize``.

    Raises:
        ValueError: If there are fewer than two parameters, or one without values.

    Example:
        >>> names, cases = pairwise({"engine": "ab", "size, taps": [(1, 2), (3, 4)], "rendered": [False, True]})
        >>> names, len(cases), cases[0]
        ('engine, size, taps, rendered', 4, ['a', 1, 2, False])
    """
    values = [list(given) for given in parameters.values()]
    if len(values) < 2 or not all(values):
        raise ValueError(f"pairwise: expected two parameters or more, with values, got {dict(parameters)}")
    choices = [[(a, i) for i in range(len(given))] for a, given in enumerate(values)]
    apart = dict.fromkeys(
        pair for two in combinations(choices, 2) for a in two[0] for pair in _with(a, two[1])
    )
    used = dict.fromkeys((choice for given in choices for choice in given), 0)
    order = sorted(choices, key=len, reverse=True)
    cases = []
    while apart:
        case = list(next(iter(apart)))
        for given in order:
            if given[0][0] not in dict(case):
                case.append(max(given, key=lambda c: (sum(p in apart for p in _with(c, case)), -used[c])))
        for pair in combinations(sorted(case), 2):
            apart.pop(pair, None)
        for choice in case:
            used[choice] += 1
        cases.append([values[a][i] for a, i in sorted(case)])
    several = ["," in name for name in parameters]
    flat = [
        [v for s, value in zip(several, case, strict=True) for v in (value if s else [value])]
        for case in cases
    ]
    return ", ".join(parameters), flat


def _with(choice: Choice, others: Iterable[Choice]) -> list[tuple[Choice, ...]]:
    """A choice paired with others, each pair in the order of the parameters."""
    return [tuple(sorted((choice, other))) for other in others]
