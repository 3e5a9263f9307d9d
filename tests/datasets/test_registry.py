"""Names of data sets: each leads to a class that knows its name, and to a figure for everything a user is told."""

import pytest

import ccnn_geo.datasets as datasets
from ccnn_geo.datasets.base.info import FAMILIES, DatasetInfo
from ccnn_geo.datasets.registry import PLACES, dataset_class


@pytest.mark.parametrize("name", PLACES)
def test_every_name_has_a_class_that_tells_what_it_is(name):
    cls = dataset_class(name)
    info = cls.info
    assert isinstance(info, DatasetInfo) and info.name == name
    assert info.title and info.family in FAMILIES and info.dim in (1, 2, 3)
    assert getattr(datasets, cls.__name__) is cls and cls.__name__ in dir(datasets)
    assert "Args:" in cls.__doc__ or ":class:`" in cls.__doc__  # its own, or those of another
    for file in info.files:
        assert file.url.startswith("http") and file.size > 0
        assert file.checksum is None or file.checksum.partition(":")[0] in ("md5", "sha256")
