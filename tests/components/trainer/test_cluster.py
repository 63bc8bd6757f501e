import json

import pytest

from components.trainer import cluster
from shortlist.errors import ConfigError


def _config(by_type, kind="worker", index=0):
    return json.dumps({"cluster": by_type, "task": {"type": kind, "index": index}})


def test_the_chief_is_the_first_of_all_processes():
    by_type = {"worker": ["b:2222", "c:2222"], "chief": ["a:2222"]}
    found = [cluster.parse(_config(by_type, *task)) for task in (("chief", 0), ("worker", 0), ("worker", 1))]
    assert [one.number for one in found] == [0, 1, 2]
    assert {one.addresses for one in found} == {("a:2222", "b:2222", "c:2222")}
    assert found[2].address(0) == ("a", 2222)
    # All processes tell TensorFlow the same, whatever type the operator gave them.
    assert cluster.parse(found[2].tf_config()) == found[2]


def test_without_a_chief_it_is_the_first_worker():
    assert cluster.parse(_config({"worker": ["a:1", "b:1"]}, index=1)).number == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected JSON"),
        ("[]", "expected a JSON object, got list"),
        ("{}", "the keys cluster and task"),
        (_config({"worker": ["a:1", "b:1"], "ps": ["c:1"]}), "got type ps"),
        (_config({"worker": "a:1"}), "a list of host:port"),
        (_config({"worker": ["a:1", "b"]}), "a list of host:port"),
        (_config({"worker": ["a:1", "b:70000"]}), "a list of host:port"),
        (_config({"worker": ["a:1", "a:1"]}), "each address once"),
        (_config({"worker": ["a:1", "b:1"]}, index=2), "got type worker, index 2"),
        (_config({"worker": ["a:1", "b:1"]}, "chief"), "got type chief, index 0"),
        (_config({"worker": ["a:1", "b:1"]}, index=True), "index True"),
        (_config({"worker": ["a:1"]}), "two processes or more, got 1"),
        (_config({"worker": ["a:1", "b:1"]}), "expected 3 processes, as in train.workers, got 2"),
    ],
)
def test_a_wrong_cluster_is_one_sentence(text, words):
    with pytest.raises(ConfigError, match="^TF_CONFIG: ") as raised:
        cluster.parse(text, workers=3)
    assert words in str(raised.value)


def test_an_empty_variable_is_no_cluster(monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, " ")
    assert cluster.from_environment() is None
    monkeypatch.setenv(cluster.VARIABLE, _config({"worker": ["a:1", "b:1"]}))
    assert cluster.from_environment(2).addresses == ("a:1", "b:1")


def test_loopback_gives_every_process_a_port():
    found = cluster.loopback(5)
    assert len({found.address(index) for index in range(5)}) == 5
