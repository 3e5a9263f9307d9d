"""Internal: the edge convolution with a MAGNet kernel on CUDA, as Triton programs.

``python -m ccnn_geo.experiments.benchmarks.gpu_programs`` compiles them without a GPU and counts their instructions.

:mod:`.launch` has what others call, :mod:`.programs` the programs, :mod:`.filters` the kernel network of a block of
edges, :mod:`.pack` the parameters in the form that programs read.
"""

__all__: list[str] = []
