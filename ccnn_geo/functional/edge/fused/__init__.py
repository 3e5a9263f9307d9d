"""Internal: the edge convolution with a MAGNet kernel on CUDA, as Triton programs.

``python -m ccnn_geo.experiments.benchmarks.gpu_programs`` compiles them without a GPU and counts their instructions.

:mod:`.launch` has the calls, :mod:`.programs` and :mod:`.gradients` the programs, :mod:`.filters` the kernel network of
a block of edges, :mod:`.rows` its features, and :mod:`.pack` the parameters in the form that programs read.
"""

__all__: list[str] = []
