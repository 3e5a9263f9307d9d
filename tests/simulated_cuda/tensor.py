"""Tensors of device type ``cuda`` whose numbers live on the CPU, under the rules that CUDA has for devices."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from tests.simulated_cuda import capture

CUDA = torch.device("cuda:0")
NOWHERE = 1 << 60
"""Added to addresses: C code that reads there ends the process, as it would with memory of a GPU."""
WAITING = {
    *("aten::nonzero", "aten::masked_select", "aten::is_nonzero", "aten::_local_scalar_dense", "aten::equal"),
    *("aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::unique_dim_consecutive"),
    *("aten::bincount", "aten::histc"),
}
"""Operators whose result's size, or value, the host needs."""
COPYING = {"aten::_to_copy", "aten::copy_", "aten::lift_fresh"}
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
WITHOUT_SCALARS = {
    *("aten::index_select", "aten::gather", "aten::scatter_", "aten::index_add_", "aten::searchsorted"),
    *("aten::cat", "aten::stack", "aten::mm"),
}
"""Operators that take no tensor of the CPU, not even one number."""
NOT_DETERMINISTIC = {
    *("aten::median", "aten::nanmedian", "aten::kthvalue", "aten::histc", "aten::put_", "aten::put"),
    *("aten::nll_loss2d_forward", "aten::_ctc_loss_backward", "aten::max_unpool2d", "aten::max_unpool3d"),
    *("aten::grid_sampler_2d_backward", "aten::grid_sampler_3d_backward", "aten::upsample_linear1d_backward"),
    *("aten::upsample_bilinear2d_backward", "aten::upsample_bicubic2d_backward"),
    *("aten::upsample_trilinear3d_backward", "aten::avg_pool3d_backward"),
    *(f"aten::_adaptive_avg_pool{d}d_backward" for d in (2, 3)),
    *(f"aten::adaptive_max_pool{d}d_backward" for d in (2, 3)),
    *(f"aten::fractional_max_pool{d}d_backward" for d in (2, 3)),
    "aten::max_pool3d_with_indices_backward",
    *(f"aten::{kind}_pad{d}d_backward" for kind in ("reflection", "replication") for d in (1, 2, 3)),
}
"""Operators that ``torch.use_deterministic_algorithms`` refuses on CUDA; see also :func:`_check_deterministic`."""

waits: list[tuple[str, str]] | None = None
"""What would have waited for the device, and the line that asked for it, while somebody records it."""


class CudaTensor(Tensor):
    """A tensor that says it is on ``cuda:0``; ``inner`` has its numbers."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> CudaTensor:
        out = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=CUDA,
        )
        out.inner = inner
        return out

    def __init__(self, inner: Tensor) -> None:
        pass

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(tensors: dict[str, Tensor], meta: None, size: Any, stride: Any) -> CudaTensor:
        return CudaTensor(tensors["inner"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            out = CudaTensor(self.inner.clone())
            if isinstance(self, nn.Parameter):
                memo[id(self)] = nn.Parameter(out, self.requires_grad)
            else:
                memo[id(self)] = out.requires_grad_(self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return f"CudaTensor({self.inner!r})"

    def data_ptr(self) -> int:
        return self.inner.data_ptr() + NOWHERE

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def new_tensor(
        self, data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        made = torch.tensor(data, dtype=dtype or self.dtype)
        return made.to(device or CUDA).requires_grad_(requires_grad)

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Cuda(TorchDispatchMode):
    """Inside of it, what is made with ``device="cuda"`` is a :class:`CudaTensor`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """One operator: its rules, then its numbers on the CPU."""
    given = tree_leaves((args, kwargs))
    ours = [t for t in given if isinstance(t, CudaTensor)]
    device = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    to_cuda = bool(ours) if device is None else device.type == "cuda"
    if not ours and not to_cuda:
        return func(*args, **kwargs)
    name = func._schema.name
    _check_devices(name, args, kwargs, given, to_cuda)
    _check_deterministic(name, args, kwargs)
    if name.startswith("ccnn_geo::"):  # a GPU runs what the package wrote, on tensors of the GPU
        with Cuda():
            return func._op_dk(torch._C.DispatchKey.CompositeExplicitAutograd, *args, **kwargs)
    if (waits is not None or capture.is_recording()) and (kind := _waits(name, args, kwargs, to_cuda)):
        if capture.is_recording():
            capture.refuse(kind, _caller())
        else:
            waits.append((kind, _caller()))
    if name in ("aten::_conj", "aten::_neg_view"):  # a bit of a tensor, which what is wrapped cannot hand on
        func = torch.conj_physical if name == "aten::_conj" else torch.neg
        return CudaTensor(_computed(func, [args[0].inner], {}, lambda t: t, False))
    if name == "aten::resolve_conj":
        return args[0]
    rounded = _to_tf32 if _takes_tf32(name) else lambda t: t
    inner, options = tree_map(_inner, args), _inner_options(kwargs)
    out = _computed(func, inner, options, rounded, func._schema.is_mutable)
    if not to_cuda:
        return out
    out = tree_map(_wrapped, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if ours or func._schema.is_mutable else out


def _computed(func: Any, inner: Any, options: Any, rounded: Any, writes: bool) -> Any:
    def compute() -> Any:
        return func(*map(rounded, inner), **options)

    if capture.is_recording() and writes:
        capture.keep((inner, options))
    out = compute()
    if capture.is_recording() and "empty" not in str(func):
        capture.note(compute, (inner, options), writes, out)
    return out


def _inner(t: Any) -> Any:
    return t.inner if isinstance(t, CudaTensor) else t


def _wrapped(t: Any) -> Any:
    return CudaTensor(t) if isinstance(t, Tensor) and not isinstance(t, CudaTensor) else t


def _inner_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    options = tree_map(_inner, kwargs)
    if options.get("device") is not None:
        options["device"] = "cpu"
    if options.get("pin_memory"):
        options["pin_memory"] = None
    return options


def _takes_tf32(name: str) -> bool:
    """Whether the factors of a product may be rounded, as the user has set it: in convolutions they are by default."""
    if name in ("aten::convolution", "aten::convolution_backward"):
        conv = getattr(torch.backends.cudnn, "conv", None)
        return torch.backends.cudnn.allow_tf32 if conv is None else conv.fp32_precision == "tf32"
    products = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
    return name in products and torch.get_float32_matmul_precision() != "highest"


def _to_tf32(t: Any) -> Any:
    """A float32 tensor rounded to ten binary digits behind the first."""
    if not isinstance(t, Tensor) or t.dtype != torch.float32:
        return t
    return ((t.contiguous().view(torch.int32) + (1 << 12)) & ~((1 << 13) - 1)).view(torch.float32)


def _check_devices(name: str, args: Any, kwargs: Any, given: list[Any], to_cuda: bool) -> None:
    """All on one device, but for copies, indices of a tensor of the device, and single numbers of the CPU."""
    generators = [g for g in given if isinstance(g, torch.Generator)]
    if to_cuda and any(g.device.type != "cuda" for g in generators):
        raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' ({name})")
    # operators of libraries run as what they are made of, which is looked at then
    if name in COPYING or not name.startswith("aten::"):
        return
    tensors = [t for t in given if isinstance(t, Tensor)]
    ours = [t for t in tensors if isinstance(t, CudaTensor)]
    others = [t for t in tensors if not isinstance(t, CudaTensor)]
    if not ours:
        return
    if name in INDEXING:
        if not isinstance(args[0], CudaTensor):
            raise RuntimeError(
                f"indices should be either on cpu or on the same device as the indexed tensor (cpu) ({name})"
            )
        indices = [t for t in tree_leaves(args[1]) if isinstance(t, Tensor)]
        others = [t for t in others if not any(t is i for i in indices)]
    if any(t.dim() > 0 or name in WITHOUT_SCALARS for t in others):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
            f"({name}: {[(str(t.device), list(t.shape)) for t in tensors]})"
        )


def _check_deterministic(name: str, args: Any, kwargs: Any) -> None:
    if not torch.are_deterministic_algorithms_enabled():
        return
    refused = name in NOT_DETERMINISTIC
    if name in ("aten::median", "aten::nanmedian"):
        refused = len(args) > 1 or "dim" in kwargs  # with indices only
    elif name in ("aten::cumsum", "aten::cumsum_"):
        refused = args[0].is_floating_point() or args[0].is_complex()
    elif name == "aten::bincount":
        refused = (len(args) > 1 and args[1] is not None) or kwargs.get("weights") is not None
    elif name in ("aten::scatter_reduce", "aten::scatter_reduce_"):
        refused = "prod" in args
    if refused:
        raise RuntimeError(
            f"{name} does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'"
        )


def _waits(name: str, args: Any, kwargs: Any, to_cuda: bool) -> str | None:
    """In which way the host would wait for the device, if it would."""
    if name in COPYING:
        source, target = (
            (args[1], isinstance(args[0], CudaTensor)) if name == "aten::copy_" else (args[0], to_cuda)
        )
        free = kwargs.get("non_blocking") or (name == "aten::copy_" and len(args) > 2 and args[2])
        crosses = isinstance(source, CudaTensor) != target
        return ("copy to the device" if target else "copy to the host") if crosses and not free else None
    if name in INDEXING:
        indices = [t for t in tree_leaves(args[1]) if isinstance(t, Tensor)]
        if any(t.dtype in (torch.bool, torch.uint8) for t in indices):
            return "mask as an index"
        return None if all(isinstance(t, CudaTensor) for t in indices) else "index of the host"
    if name == "aten::repeat_interleave":
        return None if kwargs.get("output_size") is not None else name
    return name if name in WAITING else None


def _caller() -> str:
    """The innermost line of the package, or of who called torch."""
    frames = [
        f
        for f in traceback.extract_stack()
        if "torch/" not in f.filename and "simulated_cuda" not in f.filename
    ]
    of_package = [f for f in frames if "ccnn_geo/" in f.filename.rpartition("/tests/")[2]]
    if not frames:
        return "a backward pass of torch, in a thread of its own"
    frame = (of_package or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.line}"
