"""Stores are given as URLs or as paths of directories."""

from pathlib import Path

import pytest

from truckstream.batcher.object_store.open_store import open_store, url_of
from truckstream.errors import ConfigurationError


@pytest.mark.parametrize("url", ["s3://bucket/folder", "file:///data", "memory:///"])
def test_a_url_stays(url):
    assert url_of(url) == url


def test_a_path_becomes_the_url_of_a_directory_that_need_not_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert url_of("lake") == url_of(Path("lake")) == (tmp_path / "lake").as_uri()
    assert url_of("~/lake") == (tmp_path / "home" / "lake").as_uri()


def test_a_url_of_another_kind_is_no_directory():
    with pytest.raises(ConfigurationError, match="store is 'gs://bucket'"):
        open_store(url_of("gs://bucket"), prefix="")
