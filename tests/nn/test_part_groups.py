"""Classes of one category alone: against loops over points and categories."""

import torch

from ccnn_geo.nn.part_groups import category_of_classes, of_one_category, of_truths

CLASSES = ["cup/handle", "chair/leg", "chair/seat", "cup/body", "old/chair/leg"]


def test_categories() -> None:
    category = category_of_classes(CLASSES)
    assert category is not None
    assert category.tolist() == [0, 1, 1, 0, 2]
    assert category_of_classes(["chair/leg", "chair/seat"]) is None
    assert category_of_classes(["chair/leg", "seat"]) is None


def test_of_truths() -> None:
    logits, y = torch.randn(40, 5), torch.randint(0, 5, (40,))
    category = category_of_classes(CLASSES)
    assert category is not None
    found = of_truths(logits, category, y)
    unknown = of_truths(logits, category, torch.full((40,), -1))
    assert torch.equal(unknown, logits)
    for row, truth, given in zip(found, y.tolist(), logits, strict=True):
        for k in range(5):
            kept = CLASSES[k].rpartition("/")[0] == CLASSES[truth].rpartition("/")[0]
            assert row[k] == (given[k] if kept else -torch.inf)


def test_of_one_category() -> None:
    torch.manual_seed(0)
    category = category_of_classes(CLASSES)
    assert category is not None
    for _ in range(20):
        logits = 2 * torch.randn(7, 5)
        sums = dict.fromkeys(category.tolist(), 0.0)
        for row in logits.double().exp():
            for k, value in enumerate(row.tolist()):
                sums[int(category[k])] += value / float(row.sum())
        best = max(sums, key=lambda name: sums[name])
        found = of_one_category(logits, category)
        assert torch.equal(found[:, category == best], logits[:, category == best])
        assert torch.isneginf(found[:, category != best]).all()
