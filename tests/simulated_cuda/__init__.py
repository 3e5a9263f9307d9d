"""A CUDA device that is not there, so that the suite can look at what only happens on one.

Tensors of device type ``cuda`` are computed on the CPU under CUDA's rules: an operator with tensors on two devices
raises, generators must be of the device, ``numpy()`` raises, compiled code that reads at a tensor's address ends the
process, deterministic algorithms refuse what they refuse on CUDA, factors of float32 are rounded to TF32 where that is
allowed, and what would wait for the device can be listed. CUDA graphs are recorded and replayed in place, and refuse
what waits (:mod:`capture`). Speed, memory, other rounding, atomics and races of a GPU's own kernels are not simulated:
nothing about them is shown here.

Tests get it by ``CCNN_GEO_TEST_DEVICE=simulated-cuda`` (``tests/conftest.py``). :mod:`guard` must be loaded before
torch; :mod:`tensor` has the rules, :mod:`session` the rest of torch that knows of no such device.
"""
