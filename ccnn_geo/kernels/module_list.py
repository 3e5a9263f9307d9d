"""``nn.ModuleList`` that says what its modules are, to a type checker alone: when it runs it is that class itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

M = TypeVar("M", bound=nn.Module, covariant=True)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    class ModuleListOf(nn.ModuleList, Generic[M]):
        """A list of modules of one class."""

        def __init__(self, modules: Iterable[M] | None = None) -> None: ...

        @overload
        def __getitem__(self, idx: slice) -> ModuleListOf[M]: ...

        @overload
        def __getitem__(self, idx: int) -> M: ...

        def __getitem__(self, idx: int | slice) -> M | ModuleListOf[M]: ...

        def __iter__(self) -> Iterator[M]: ...

else:
    ModuleListOf = nn.ModuleList
