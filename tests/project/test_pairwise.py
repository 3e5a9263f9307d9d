"""The cases of tests with many parameters."""

from itertools import combinations, product
from math import prod

import pytest

from tests.pairwise import pairwise


@pytest.mark.parametrize(
    ("sizes", "most"), [((2, 3), 6), ((1, 1), 1), ((7, 5, 3, 3, 2), 35), ((3, 3, 3, 3), 12), ((2,) * 10, 10)]
)
def test_any_two_values_meet(sizes, most):
    values = [[f"{name}{i}" for i in range(size)] for name, size in zip("abcdefghij", sizes, strict=False)]
    names, cases = pairwise({v[0][0]: iter(v) for v in values})
    assert names == ", ".join("abcdefghij"[: len(sizes)])
    assert all(value in of for case in cases for value, of in zip(case, values, strict=True))
    assert {pair for case in cases for pair in combinations(case, 2)} == {
        pair for two in combinations(values, 2) for pair in product(*two)
    }
    assert len(cases) <= most <= prod(sizes)


def test_the_same_cases_at_each_call():
    given = {"a": range(4), "b, c": [(0, 1), (2, 3)], "d": [None, "x", []]}
    assert pairwise(given) == pairwise(given)
    assert all(len(case) == 4 for case in pairwise(given)[1])


@pytest.mark.parametrize(*pairwise({"a": [1, 2], "b, c": [(1, "x"), (2, "y")], "d": [True]}))
def test_pytest_takes_them(a, b, c, d):
    assert a in (1, 2) and (b, c) in ((1, "x"), (2, "y")) and d


@pytest.mark.parametrize("given", [{}, {"a": [1, 2]}, {"a": [1, 2], "b": []}])
def test_one_parameter_is_not_two(given):
    with pytest.raises(ValueError, match="pairwise: expected two parameters or more, with values"):
        pairwise(given)
