import pytest

from cli.train_worker import train_worker
from components.trainer import cluster
from shortlist.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("", "got none"),
        (cluster.Cluster(("a:1", "b:1"), 0).tf_config(), "got the first one, which is the chief"),
        ("{}", "the keys cluster and task"),
    ],
)
def test_a_worker_has_a_place_of_its_own(monkeypatch, value, got):
    monkeypatch.setenv(cluster.VARIABLE, value)
    with pytest.raises(ConfigError, match=got):
        train_worker()
