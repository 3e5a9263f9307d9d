"""The Hugging Face hub's own library against a hub on this machine: what is read, refused, sent, and there offline."""

import os
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from ccnn_geo import CCNN
from tests.io.models.hub_session import session


@pytest.fixture(scope="module")
def happened(tmp_path_factory) -> dict:
    """All of it with the library imported anew, for it reads its environment then: a process would import torch too."""
    if find_spec("huggingface_hub") is None:
        pytest.skip("needs the hub extra")
    environment, before = dict(os.environ), taken_out("huggingface_hub")
    try:
        return session(tmp_path_factory.mktemp("hub"))
    finally:
        taken_out("huggingface_hub")
        sys.modules.update(before)
        os.environ.clear()
        os.environ.update(environment)


def taken_out(package: str) -> dict[str, ModuleType]:
    """The modules of a package, which the next import does not find."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == package}


@pytest.mark.parametrize("what", ["main", "tag", "commit", "pushed", "branch", "joint", "allowed"])
def test_what_is_on_the_hub_computes_what_was_put_there(happened, what):
    assert happened[what] is True


def test_a_warm_cache_is_enough_offline(happened):
    assert happened["local"] and happened["offline"] and happened["gone"] == 2
    assert happened["asked_offline"] == []


def test_the_files_of_a_model_go_there_and_no_others(happened):
    assert happened["files"] == ["README.md", "config.json", "model.safetensors"]
    assert "/me/new/commit/" in happened["address"]


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("nothing", "FileNotFoundError", "not available from the Hugging Face hub (RepositoryNotFoundError: 404"),
        ("revision", "FileNotFoundError", "RevisionNotFoundError: 404 Client Error. Revision Not Found"),
        ("pickled", "ValueError", "someone/pickled: holds pytorch_model.bin and no config.json"),
        ("half_pickled", "ValueError", "someone/half_pickled: holds pytorch_model.bin"),
        ("halved", "FileNotFoundError", "someone/halved: on the Hugging Face hub, but without model.safetensors;"),
        ("headless", "FileNotFoundError", "someone/headless: on the Hugging Face hub, but without config.json;"),
        ("other", "ValueError", 'not of this package, expected "format": "ccnn_geo"'),
        ("offline", "FileNotFoundError", "LocalEntryNotFoundError: Cannot find"),
        ("token", "OSError", "me/other: not uploaded to the Hugging Face hub (HfHubHTTPError"),
        ("name", "ValueError", "expected a name such as user/name, got 'new'"),
        ("folder", "ValueError", "holds weights.bin and no config.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_sent_is_said(happened, name, kind, said):
    found = happened["errors"][name]
    assert found[0] == kind and said in found[1] and "\n" not in found[1]


def test_sending_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ImportError, match=r"push_to_hub: needs huggingface_hub: pip install 'ccnn_geo\[hub\]'"
    ):
        CCNN(2, 3, 3, hidden_channels=4, num_blocks=0).push_to_hub("me/new")
