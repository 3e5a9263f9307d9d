"""Internal: the convolution on lattices on CUDA, as a Triton program that sums products of rows.

:mod:`.launch` has the calls, :mod:`.programs` the program.
"""

__all__: list[str] = []
