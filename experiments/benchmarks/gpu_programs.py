"""Compiles the Triton programs of the edge convolution for GPUs that need not be there, and counts instructions.

    python -m ccnn_geo.experiments.benchmarks.gpu_programs          # sm_80 and sm_90; a minute of one core, no GPU

The case is CCNN-4,140's: 140 channels, a kernel network of width 32 with three hidden layers, three axes. Nothing runs:
the table says what the compiler made. Instructions are those of one warp in the loop over a target's edges, per edge.
The estimate is for 16 clouds of 1,024 points with 256 neighbours each, all of them in the support, if an H200
issues one instruction per scheduler and clock. It is a bound, not a time that was measured. Launches are the programs
and the operators of torch around them that are no views, counted with programs that do nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

CASE = {"L": 3, "D": 3, "H": 32, "WIDE": 128, "NARROW": 16, "PRECISION": "ieee"}
LATTICE = "sum_products"
PROGRAMS: Mapping[str, tuple[str, Mapping[str, Any], int]] = {
    "sums": ("sum_over_neighbors", {"SIGN": 1}, 2),
    "output layer": ("output_gradient", {}, 1),
    "filters": ("filter_gradients", {"OFFSETS": False, "PANELS": 1}, 1),
    "filters and positions": ("filter_gradients", {"OFFSETS": True, "PANELS": 1}, 0),
    "lattice: values or a gradient": (LATTICE, {"TABLE_OUT": False, "WIDE": 128}, 0),
}
"""Of each row the program, its further constants, and how often a step launches it, for values and for the features'
gradient; positions of data learn nothing."""
EDGES = 16 * 1024 * 256
ISSUED = 132 * 4 * 1.73e9
"""Instructions of warps a second: multiprocessors, schedulers, clock of an H200 under load (assumed)."""
SCALARS = {
    "index": "*i64",
    "ptr": "*i64",
    "left_row": "*i32",
    "right_row": "*i32",
    "number": "*i32",
    "channels": "i32",
    "num_dst": "i32",
    "pitch": "i32",
}


class Compiled(NamedTuple):
    """The result of compiling a program for one architecture."""

    registers: int
    stack: int
    per_edge: float
    spilled: float


def compile_program(name: str, constants: Mapping[str, Any], capability: int) -> Compiled:
    """Compiles one program by Triton's own ptxas.

    Args:
        name: In :mod:`ccnn_geo.functional.edge.fused.programs` or ``gradients`` beside it, or :data:`LATTICE`.
        constants: Its compile-time arguments besides those of :data:`CASE`.
        capability: 80, 90 and so on.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from ccnn_geo.functional.edge.fused import launch
    from ccnn_geo.functional.lattice.fused import launch as lattice

    if name == LATTICE:
        program, constants = lattice.programs.sum_products, {**constants, "BLOCK": lattice.BLOCK}
    else:
        program, constants = _edge_program(name), {**CASE, **constants, "BLOCK": launch.BLOCK}
    signature = {n: "constexpr" if n in constants else SCALARS.get(n, "*fp32") for n in program.arg_names}
    aligned = {  # as Triton finds of the tensors and of the rows' pitch at run time
        (i,): [["tt.divisibility", 16]]
        for i, (n, kind) in enumerate(signature.items())
        if kind.startswith("*") or n == "pitch"
    }
    made = triton.compile(
        ASTSource(program, signature, constexprs=constants, attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": launch.WARPS},
    )
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        usage, code = (
            subprocess.run([tool, option, file.name], capture_output=True, text=True, check=True).stdout
            for option in ("-res-usage", "-sass")
        )
    found = re.search(r"REG:(\d+) STACK:(\d+)", usage)
    assert found is not None, "cuobjdump says how many registers there are"
    loop = largest_inner_loop(code)
    edges = constants["BLOCK"] / launch.WARPS
    local = sum(op.startswith(("LDL", "STL")) for op in loop)
    return Compiled(int(found[1]), int(found[2]), len(loop) / edges, local / edges)


def _edge_program(name: str) -> Any:
    from ccnn_geo.functional.edge.fused import gradients, programs

    return getattr(programs, name, None) or getattr(gradients, name)


def largest_inner_loop(code: str) -> list[str]:
    """Operations of the longest loop that holds no longer one: that over a target's blocks of edges."""
    lines = re.findall(r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\d+ )?([A-Z0-9.]+)([^;]*)", code, re.M)
    operations = [(int(address, 16), name) for address, name, _ in lines]
    loops = []
    for address, name, rest in lines:
        target = re.search(r"0x([0-9a-f]+)", rest)
        if name.startswith("BRA") and target and int(target[1], 16) < int(address, 16):
            loops.append((int(target[1], 16), int(address, 16)))
    bodies = [[name for at, name in operations if first <= at <= last] for first, last in loops]
    bodies.sort(key=len)
    whole = bodies[-1]
    inner = [body for body in bodies if len(body) > len(whole) // 2]
    return inner[0]


class _Counter(TorchDispatchMode):
    """Counts operators that are no views."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name.partition("::")[2]
        self.launches += not (function.is_view or name in ("detach", "empty", "new_empty", "_unsafe_view"))
        return function(*args, **(kwargs or {}))


def launches() -> tuple[int, int]:
    """Launches of a layer's sums, and of all its gradients but those of positions."""
    from ccnn_geo.functional.edge import compiled
    from ccnn_geo.functional.edge.fused import launch
    from ccnn_geo.kernels.continuous import ContinuousKernel
    from ccnn_geo.neighbors import build_neighbors

    counter = _Counter()

    class Nothing:
        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
            def call(*given: Any, **constants: Any) -> None:
                counter.launches += 1

            return call

    kernel = ContinuousKernel(3, 140, kernel_hidden=32, omega_0=0.5, window_init=0.5)
    pos = torch.rand(40, 3)
    neighbors, x = build_neighbors(pos, num_neighbors=8), torch.randn(40, 140)
    packed = compiled._packed(kernel)
    assert packed is not None, "the programs are for this kernel"
    box, *tensors = (t.detach() for t in packed)
    given = (x, [pos, pos, *tensors], neighbors.edge_index, neighbors.ptr, box)
    sums: dict[str, Any] = {"sum_over_neighbors": Nothing(), "output_gradient": Nothing()}
    nothing = mock.patch.object(launch, "filter_gradients", Nothing())
    with mock.patch.multiple(launch.programs, **sums), nothing, counter:
        launch.sums(*given)
        forward = counter.launches
        launch.gradients(x, *given, [True, False, False, *[True] * len(tensors)])
    return forward, counter.launches - forward


def table(capabilities: Sequence[int]) -> str:
    """The report: a row for each architecture and program, and the sum of a training step."""
    lines = [
        "| architecture | program | registers | stack, bytes | instructions per edge | of them spills | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for capability in capabilities:
        total = 0.0
        for title, (name, constants, launches) in PROGRAMS.items():
            made = compile_program(name, constants, capability)
            ms = 1e3 * EDGES * made.per_edge / ISSUED
            total += launches * ms
            row = (f"sm_{capability}", title, made.registers, made.stack)
            lines.append(
                f"| {' | '.join(map(str, row))} | {made.per_edge:.0f} | {made.spilled:.0f} | {ms:.1f} |"
            )
        lines.append(f"| sm_{capability} | a training step of a layer: sums twice | | | | | {total:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--capabilities", type=int, nargs="+", default=[80, 90], metavar="N", help="80 is sm_80"
    )
    options = parser.parse_args()
    os.environ["TRITON_INTERPRET"] = "0"  # before Triton's programs are imported
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    print(table(options.capabilities))
    forward, backward = launches()
    print(f"\nLaunches of a layer: {forward} forward, {backward} backward; waits for the device: none.")


if __name__ == "__main__":
    main()
