"""PyG's explainers on layers and networks: masks of edges, and what they find."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.explain import Explainer, GNNExplainer, PGExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.explain.metric import fidelity
from torch_geometric.loader import DataLoader
from torch_geometric.utils import k_hop_subgraph

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.neighbors import knn_graph
from ccnn_geo.nn.explain import EdgesFirst
from tests.law.pyg_networks import ARGS, cloud, network


@pytest.mark.parametrize("readout", ["global", "node"])
def test_a_mask_of_zeros_leaves_those_edges_out(readout):
    model, (x, pos) = network(readout), cloud()
    edge_index = knn_graph(pos, 6)
    kept = torch.rand(240) < 0.5
    expected = model(x, pos, edge_index=edge_index[:, kept])
    set_masks(model, kept.float(), edge_index, apply_sigmoid=False)
    masked = model(x, pos, edge_index=edge_index)
    clear_masks(model)
    testing.assert_close(masked, expected, 1e-4)
    assert not any(conv.needs_messages for conv in model.convs)


def explainer(model, level, epochs=5, **settings):
    return Explainer(
        model.eval(),
        algorithm=GNNExplainer(epochs=epochs, lr=0.1),
        explanation_type="model",
        model_config={"mode": "multiclass_classification", "task_level": level, "return_type": "raw"},
        **{"node_mask_type": "attributes", "edge_mask_type": "object", **settings},
    )


def test_explanation_of_a_point_stays_in_its_reach():
    model, (x, pos) = network("node"), cloud(80)
    batch = torch.arange(80) // 40
    edge_index = knn_graph(pos, 6, batch)
    expected = model(x, pos, batch, edge_index)
    found = explainer(EdgesFirst(model), "node")(x, edge_index, pos=pos, batch=batch, index=3)
    _, _, _, reached = k_hop_subgraph(3, 3, edge_index)
    assert found.edge_mask[reached].max() > 0 and found.edge_mask[~reached].max() == 0
    assert found.node_mask[:40].max() > 0 and found.node_mask[40:].max() == 0
    testing.assert_close(model(x, pos, batch, edge_index), expected)


def test_explanation_of_a_cloud_finds_the_channel_that_decides():
    """The label is what one channel says and three channels do not: the mask of a trained network shows which."""
    clouds = []
    for label in (0, 1) * 12:
        x, pos = cloud(24)
        x[:, 2] += 2.0 * (2 * label - 1)
        clouds.append(Data(x=x, pos=pos, edge_index=knn_graph(pos, 6), y=torch.tensor([label])))
    model = CCNN(4, 2, 3, 8, 1, num_neighbors=6, **ARGS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(6):
        for batch in DataLoader(clouds, batch_size=8):
            loss = torch.nn.functional.cross_entropy(model(batch), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    batch = next(iter(DataLoader(clouds, batch_size=24)))
    model.eval()
    assert (model(batch).argmax(1) == batch.y).all()
    explain = explainer(EdgesFirst(model), "graph", epochs=40)
    found = explain(batch.x, batch.edge_index, pos=batch.pos, batch=batch.batch)
    assert found.edge_mask.shape == (24 * 24 * 6,)
    assert found.node_mask.mean(0).argmax() == 2
    assert found.get_explanation_subgraph().edge_index.size(1) > 0
    channel = {"threshold_type": "topk_hard", "value": 1}  # one of four, wholly
    masks = {"node_mask_type": "common_attributes", "edge_mask_type": None, "threshold_config": channel}
    explain = explainer(EdgesFirst(model), "graph", 40, **masks)
    found = explain(batch.x, batch.edge_index, pos=batch.pos, batch=batch.batch)
    without, alone = fidelity(explain, found)
    assert without > 0.3 and alone < 0.1  # labels that change without this channel, and with it alone


class OwnModel(torch.nn.Module):
    """A user's model of our layers, in the order that PyG's models have."""

    def __init__(self, cls):
        super().__init__()
        self.first, self.second = cls(4, 8, 3, **ARGS), cls(8, 3, 3, **ARGS)

    def forward(self, x, edge_index, pos):
        return self.second(self.first(x, pos, edge_index).relu(), pos, edge_index)


@pytest.mark.parametrize(
    "model", [OwnModel(SepFlexConv), OwnModel(FlexConv), EdgesFirst(SepFlexConv(4, 3, 3, **ARGS))]
)
def test_models_of_our_layers_are_explained_as_any_other(model):
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    found = explainer(model, "node")(x, edge_index, pos=pos, index=7)
    hops = 2 if isinstance(model, OwnModel) else 1
    _, _, _, reached = k_hop_subgraph(7, hops, edge_index)
    assert found.edge_mask[reached].max() > 0 and found.edge_mask[~reached].max() == 0
    assert found.validate()


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar:UserWarning")
def test_an_explainer_that_is_trained_reads_our_embeddings():
    """PGExplainer hooks every message passing layer; PyG itself turns its loss into a number."""
    model, (x, pos) = network("global"), cloud()
    edge_index, algorithm = knn_graph(pos, 6), PGExplainer(epochs=4)
    explain = Explainer(
        EdgesFirst(model).eval(),
        algorithm,
        explanation_type="phenomenon",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    target = model(x, pos, edge_index=edge_index).argmax(1)
    losses = [algorithm.train(i, explain.model, x, edge_index, target=target, pos=pos) for i in range(4)]
    assert losses[-1] < losses[0]
    found = explain(x, edge_index, target=target, pos=pos)
    assert found.edge_mask.shape == (240,) and found.edge_mask.unique().numel() > 100
