"""Trained networks for use: in a folder or on the hub, for prediction, and as programs without this package."""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names

if TYPE_CHECKING:
    from ccnn_geo.export.answers import PointPrediction as PointPrediction
    from ccnn_geo.export.answers import Prediction as Prediction
    from ccnn_geo.export.answers import ValuePrediction as ValuePrediction
    from ccnn_geo.export.classifier import is_pretrained as is_pretrained
    from ccnn_geo.export.classifier import save_classifier as save_classifier
    from ccnn_geo.export.grids import GridProgram as GridProgram
    from ccnn_geo.export.loading import load as load
    from ccnn_geo.export.loading import load_classifier as load_classifier
    from ccnn_geo.export.loading import predict as predict
    from ccnn_geo.export.points import PointProgram as PointProgram
    from ccnn_geo.export.predictor import Predictor as Predictor
    from ccnn_geo.export.program import export_onnx as export_onnx
    from ccnn_geo.export.program import export_program as export_program
    from ccnn_geo.export.program import exportable as exportable
    from ccnn_geo.export.scenes.answer import SceneAnswer as SceneAnswer
    from ccnn_geo.export.scenes.answer import answer_scene as answer_scene
    from ccnn_geo.export.scenes.answer import label_scene as label_scene
    from ccnn_geo.export.scenes.answer import scene_logits as scene_logits
    from ccnn_geo.export.scenes.confusion import scene_confusion as scene_confusion
    from ccnn_geo.io.models.hub import push_to_hub as push_to_hub

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "export.answers": "PointPrediction Prediction ValuePrediction",
        "export.classifier": "is_pretrained save_classifier",
        "export.grids": "GridProgram",
        "export.loading": "load load_classifier predict",
        "export.points": "PointProgram",
        "export.predictor": "Predictor",
        "export.program": "export_onnx export_program exportable",
        "export.scenes.answer": "SceneAnswer answer_scene label_scene scene_logits",
        "export.scenes.confusion": "scene_confusion",
        "io.models.hub": "push_to_hub",
    },
)
