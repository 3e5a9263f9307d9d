"""What a user asks of the Hugging Face hub, through its own library, of a hub on this machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.io.models.local_hub import LocalHub, commit_of


def session(folder: Path) -> dict[str, Any]:
    """What happened, by name. The library must not have been imported: it reads its environment then."""
    with LocalHub() as hub:
        found = _with_hub(folder, hub)
    from ccnn_geo import CCNN

    found["gone"] = CCNN.from_pretrained("someone/shapes", revision="v1").config["in_channels"]
    return found


def _with_hub(folder: Path, hub: LocalHub) -> dict[str, Any]:
    os.environ |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",  # a store of its own, which this hub has not
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
        os.environ.pop(name, None)
    import huggingface_hub
    import torch

    from ccnn_geo import CCNN, JointCCNN
    from ccnn_geo.export import push_to_hub, save_classifier

    sizes = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}
    x, pos = torch.randn(9, 2), torch.rand(9, 3)

    def network() -> CCNN:
        made = CCNN(2, 3, 3, **sizes)
        made(x, pos)
        return made.eval()

    def content(of: Path) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in of.iterdir()}

    def same(source: str, expected: torch.nn.Module, **given: Any) -> bool:
        return bool(torch.equal(CCNN.from_pretrained(source, **given)(x, pos), expected(x, pos)))

    def said(call: Callable[[], object]) -> list[str]:
        try:
            call()
        except Exception as error:
            return [type(error).__name__, str(error)]
        return ["nothing", ""]

    first, second = network(), network()
    old, new = (content(m.save_pretrained(folder / n)) for m, n in ((first, "first"), (second, "second")))
    torch.save(second.state_dict(), folder / "weights.bin")
    pickle = {"pytorch_model.bin": (folder / "weights.bin").read_bytes()}
    config, weights = ({name: new[name]} for name in ("config.json", "model.safetensors"))
    hub.repos |= {
        "someone/shapes": {"main": new, "v1": old},
        "someone/pickled": {"main": {**pickle, "README.md": b"a card"}},
        "someone/half_pickled": {"main": {**config, **pickle}},
        "someone/halved": {"main": config},
        "someone/headless": {"main": weights},
        "someone/other": {"main": {"config.json": b'{"model_type": "bert"}', **weights}},
    }

    found: dict[str, Any] = {
        "main": same("someone/shapes", second),
        "tag": same("someone/shapes", first, revision="v1"),
        "commit": same("someone/shapes", first, revision=commit_of(old)),
        "errors": {
            name: said(lambda name=name: CCNN.from_pretrained(f"someone/{name}"))
            for name in ("nothing", "pickled", "half_pickled", "halved", "headless", "other")
        },
        "allowed": same("someone/half_pickled", second, allow_pickle=True),
    }
    found["errors"]["revision"] = said(lambda: CCNN.from_pretrained("someone/shapes", revision="v9"))

    key = {"token": hub.token}
    found["address"] = first.push_to_hub("me/new", message="The first", **key)
    found["pushed"] = same("me/new", first)
    second.push_to_hub("me/new", revision="wide", **key)
    found["branch"] = same("me/new", second, revision="wide") and same("me/new", first, revision="main")
    joint = JointCCNN({"a": CCNN(2, 3, 3, **sizes), "b": CCNN(2, 3, 3, **sizes)}).eval()
    joint.push_to_hub("me/joint", **key)
    again = JointCCNN.from_pretrained("me/joint")
    found["joint"] = bool(torch.equal(again("b", x, pos), joint("b", x, pos)))
    classifier = save_classifier(folder / "classifier", first, ["a", "b", "c"], {"dataset": "folder"})
    (classifier / "README.md").write_text("a card")
    (classifier / "secret.txt").write_text("of the user")
    push_to_hub(classifier, "me/classifier", **key)
    found["files"] = sorted(hub.repos["me/classifier"]["main"])
    found["errors"]["token"] = said(lambda: first.push_to_hub("me/other", token="wrong"))
    found["errors"]["name"] = said(lambda: first.push_to_hub("new", **key))
    found["errors"]["folder"] = said(lambda: push_to_hub(folder, "me/other", **key))

    before = len(hub.asked)
    found["local"] = same("someone/shapes", second, local_files_only=True)
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # as read from the environment
    found["offline"] = same("someone/shapes", first, revision="v1")
    found["errors"]["offline"] = said(lambda: CCNN.from_pretrained("someone/unseen"))
    huggingface_hub.constants.HF_HUB_OFFLINE = False
    found["asked_offline"] = hub.asked[before:]
    return found
