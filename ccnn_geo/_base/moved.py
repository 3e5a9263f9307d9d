"""Modules that are not where their names say: old paths, and in a checkout the two folders beside the package.

Paths of release 0.0 work for one release, with a DeprecationWarning. After installation, ``datasets`` and
``experiments`` are inside the package; in a checkout they are beside it.

An entry of a package's ``__path__`` may be anything that a hook of :data:`sys.path_hooks` handles (PEP 302). Ours
comes last, so that existing modules win.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ENTRY = "ccnn_geo: modules that have moved"
"""The entry in ``__path__``, instead of a folder."""

CHECKOUT = Path(__file__).parents[2]
BESIDE = ("datasets", "experiments")

PACKAGES = ("exchange", "pictures", "functional.native")
"""Folders that no longer exist."""

ROOMS = {
    "": "exchange=export pictures=visualization",
    "_base": "argument_types cache_folder caller devices functional.native pyg",
    "_base.native": "functional.native.build functional.sizes memory memory_limit",
    "cli": (
        "data_command=data export_command=export help_pages predict_command=predict show_command=show "
        "terminal train_command=train training.arguments training.inventory=info training.option_help "
        "training.quiet"
    ),
    "datasets.audio": (
        "datasets.clip_features datasets.clips datasets.speech_commands datasets.speech_files "
        "datasets.wav_folder"
    ),
    "datasets.base": (
        "datasets.class_folders datasets.info datasets.labelled datasets.lra datasets.official "
        "datasets.processing datasets.signals datasets.splits datasets.workers"
    ),
    "datasets.images": (
        "datasets.cifar datasets.image_folder datasets.mnist datasets.pathfinder "
        "datasets.pathfinder_drawing datasets.pathfinder_files datasets.pathfinder_images "
        "datasets.pathfinder_scenes datasets.stl10"
    ),
    "datasets.scenes": ("datasets.lidar datasets.lidar_files datasets.lidar_survey datasets.lidar_tiles"),
    "datasets.series": "datasets.csv_series datasets.physionet2012 datasets.physionet_records",
    "datasets.shapes": (
        "datasets.meshes datasets.modelnet datasets.modelnet_voxels datasets.parametric_shapes "
        "datasets.shape_folder"
    ),
    "datasets.text": "datasets.imdb datasets.listops datasets.listops_grammar datasets.tokens",
    "experiments.benchmarks": (
        "experiments.bench_grid_conv experiments.bench_large_grids experiments.bench_lattice_conv "
        "experiments.bench_loader experiments.bench_neighbors experiments.bench_primitives "
        "experiments.bench_step experiments.efficiency_picture experiments.efficiency_points "
        "experiments.efficiency_study experiments.efficiency_tables experiments.import_time "
        "experiments.mesh_accuracy experiments.point_layers experiments.sequence_layers "
        "experiments.step_cost experiments.study_report experiments.table5 experiments.table6 "
        "experiments.table7 experiments.timing"
    ),
    "experiments.data": (
        "experiments.folds experiments.fsdd_folder experiments.mnist_subset experiments.psb_folder"
    ),
    "experiments.engine": (
        "experiments.provenance experiments.reproduction experiments.task_report "
        "experiments.task_study experiments.training_job experiments.training_study"
    ),
    "experiments.fuzz": (
        "experiments.fuzz_format experiments.fuzz_formats experiments.fuzz_mutations "
        "experiments.fuzz_readers experiments.fuzz_seeds experiments.fuzz_signal_seeds "
        "experiments.fuzz_stored_formats experiments.fuzz_stored_seeds"
    ),
    "experiments.studies": (
        "experiments.bandlimit experiments.budget_training experiments.concept_picture experiments.fig12 "
        "experiments.fig6 experiments.fig8 experiments.fig9 experiments.joint experiments.joint_training "
        "experiments.pathfinder_2d experiments.peer_rates experiments.peer_report "
        "experiments.peer_training experiments.point_peers experiments.precision experiments.recipe "
        "experiments.resolution experiments.smnist_s4 experiments.table1 experiments.table2 "
        "experiments.table8 experiments.thinned experiments.unit_variance experiments.voxel_to_point"
    ),
    "export": ("exchange.classifier exchange.grids exchange.points exchange.program predict=loading"),
    "functional": "neighbors.value=graph representations",
    "functional.edge": (
        "functional.contraction functional.edge_basis=basis functional.edge_chunks=chunks "
        "functional.edge_conv=conv functional.edge_extent=extent functional.kernel_values "
        "functional.native.edge_magnet=compiled functional.native.edge_magnet_call=compiled_call "
        "functional.native.edge_magnet_op=compiled"
    ),
    "functional.grid": (
        "functional.direct_conv=direct functional.fft_conv=fft functional.grid_conv=conv "
        "functional.native.fft_conv=fft_compiled"
    ),
    "functional.lattice": (
        "functional.lattice_conv=conv functional.native.lattice_conv=compiled "
        "functional.native.lattice_group=compiled_group functional.runs lattice=offsets"
    ),
    "functional.mesh": (
        "functional.bspline functional.mesh_band=band functional.mesh_conv=conv "
        "functional.mesh_geometry=geometry functional.mesh_stencil=stencil functional.mesh_sum=sum"
    ),
    "functional.pointwise": (
        "functional.grid_linear functional.native.grid_linear=grid_linear_compiled functional.point_linear=linear"
    ),
    "io": (
        "datasets.csv_table datasets.iso_dates datasets.las datasets.read_image=image datasets.wav "
        "datasets.wav_chunks"
    ),
    "io.files": (
        "datasets.archive datasets.download datasets.mapped datasets.notices datasets.progress "
        "datasets.sample_files datasets.storage"
    ),
    "io.scans": (
        "datasets.lidar_bin=bin_file datasets.lidar_frames=frames datasets.point_colours "
        "datasets.point_labels"
    ),
    "io.models": "exchange.folder exchange.hub training.checkpoint_file=checkpoint",
    "io.shapes": (
        "io.arrays io.columns io.glb io.gltf_file io.gltf_parts io.lzf io.missing io.obj io.objects "
        "io.off io.pcd io.pcd_header io.ply io.ply_elements io.read io.scenes io.shape io.stl io.text"
    ),
    "kernels": "continuous_kernel=continuous frequencies kernel_cache=cache window",
    "kernels.math": (
        "functional.gabor_filters=gabor functional.gelu functional.linear functional.low_pass "
        "functional.magnet functional.native.gelu=gelu_compiled "
        "functional.native.row_products=linear_compiled functional.scratch functional.spectrum"
    ),
    "neighbors": "functional.farthest functional.graph_ops measure spacing",
    "nn": (
        "blocks channels=pointwise drop_path exchange.arguments=config exchange.compare exchange.limits "
        "explain joint kind_conv=shared_conv model=ccnn nyquist pooling pretrained training.network=build "
        "trunk"
    ),
    "nn.conv": (
        "checks continuous_conv=base conv=layers first_batch=unit_variance grid_path=grid "
        "host_copy=async_mirror path_costs=costs point_paths=paths point_plan=plan "
        "point_sums=base quadrature=measures regularization=kernel_norms"
    ),
    "nn.norm": "batch_norm=batch norm_statistics=statistics pool_norm=pool sync_norm=sync",
    "training": "training.decay=optim",
    "training.data": (
        "training.datamodule=shapes training.epoch_datamodule=base training.epochs training.families "
        "training.finite_samples=finite training.grid_datamodule=grids training.neighbor_cache "
        "training.points_datamodule=points training.registry_datamodule=registry training.sources"
    ),
    "transforms": "datasets.mfcc",
    "transforms.pipelines": "shape_sources training.pipeline=shapes",
    "visualization": (
        "figures=canvas pictures.colorings pictures.kernel_figures pictures.kernel_pages "
        "pictures.rendering pictures.run_figures pictures.sample_figures pictures.sample_pages "
        "pictures.sample_values pictures.samples training.plots=run_plots"
    ),
}
"""Modules that moved into a folder, by their old paths; ``=`` gives the new name if it changed."""

ALSO = {
    "predict": "export.trained export.predictor export.answers",
    "exchange.classifier": "export.trained export.predictor export.loading",
    "functional.native": "_base.native.build",
    "channels": "functional.pointwise.linear",
    "datasets.lidar": "transforms.scan_points",
}
"""Further new places for names of an old module."""

RENAMED = {
    "FirstBatchScale": "UnitVariance",
    "HostCopy": "AsyncMirror",
    "KindConv": "SharedConv",
    "SyncNorm": "SyncBatchNorm1d",
    "read_trained": "read_network",
    "ShapeClassifier": "Predictor",
    "once": "lazy",
    "Runs": "OffsetSegments",
}
"""Renamed objects."""

MOVED = {
    word.partition("=")[0]: f"{room}.{word.partition('=')[2] or word.rpartition('.')[2]}".lstrip(".")
    for room, words in ROOMS.items()
    for word in words.split()
}


class _MovedModule(ModuleType):
    """Stands at an old path and returns names from the new ones."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        root, _, old = self.__name__.partition(".")
        for place in f"{MOVED[old]} {ALSO.get(old, '')}".split():
            module = importlib.import_module(f"{root}.{place}")
            new = name if hasattr(module, name) else RENAMED.get(name, name)
            if hasattr(module, new):
                now = "" if new == name else f" now {new} and"
                warnings.warn(
                    f"{self.__name__} has moved: {name} is{now} in {module.__name__}, "
                    "and only there from the next release",
                    DeprecationWarning,
                    stacklevel=_stacklevel(),
                )
                return getattr(module, new)
        raise AttributeError(
            f"module {self.__name__!r} has moved to {root}.{MOVED[old]}, which has no {name!r}"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls a function such as ``ccnn_geo.predict`` that an import of an old module hides."""
        name = self.__name__.rpartition(".")[2]
        try:
            function = getattr(self, name)
        except AttributeError:
            raise TypeError(f"module {self.__name__!r} is not callable") from None
        return function(*args, **kwargs)


class _MovedFinder:
    """Finder that the hook returns for :data:`ENTRY`: finds old modules and loads a stand-in for the new one."""

    @staticmethod
    def find_spec(name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        old = name.partition(".")[2]
        if old in BESIDE:
            return PathFinder.find_spec(name, [str(CHECKOUT)])
        if old not in MOVED:
            return None
        return ModuleSpec(name, _MovedFinder, is_package=old in PACKAGES)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _MovedModule(spec.name)

    @staticmethod
    def get_code(name: str) -> CodeType:
        """Code for ``python -m``."""
        place = f"{name.partition('.')[0]}.{MOVED[name.partition('.')[2]]}"
        said = f"{name} has moved: it is {place}, and only there from the next release"
        lines = (
            "import runpy, warnings",
            f"warnings.warn({said!r}, DeprecationWarning)",
            f"runpy.run_module({place!r}, run_name='__main__', alter_sys=True)",  # with a name in sys.argv
        )
        return compile("\n".join(lines), name, "exec")

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        if hasattr(module, "__path__"):
            module.__path__ = [ENTRY]


def _hook(entry: str) -> type[_MovedFinder]:
    if entry != ENTRY:
        raise ImportError(entry)
    return _MovedFinder


def _stacklevel() -> int:
    """Number of frames up to the caller, skipping the import system."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
        level, frame = level + 1, frame.f_back
    return level


def keep_old_paths(path: list[str]) -> None:
    """Makes old modules of a package importable, given its ``__path__``."""
    if _hook not in sys.path_hooks:
        sys.path_hooks.append(_hook)
    path.append(ENTRY)


def names_of(module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package that has the name of a former module."""

    def get(name: str) -> Any:
        if not name.startswith("_") and hasattr(found := importlib.import_module(module), name):
            warnings.warn(f"{name} has moved to {module}", DeprecationWarning, stacklevel=_stacklevel())
            return getattr(found, name)
        raise AttributeError(f"module {module.rpartition('.')[0]!r} has no attribute {name!r}")

    return get
