"""Connections to a server while another client creates the tables; no server is needed for that."""

import pytest

from shortlist.config.metadata import MySqlMetadata
from shortlist.errors import BadInputError
from shortlist.lineage import server
from shortlist.lineage.server import ServerDatabase
from shortlist.workspace import Workspace

IN_CREATION = [
    "mysql_query aborted: errno: Deadlock found when trying to get lock; try restarting transaction",
    "ERROR:  deadlock detected",
    "There are a subset of tables in MLMD instance. This may be due to concurrent connection to the empty database.",
]


@pytest.fixture
def connect(tmp_path, monkeypatch):
    """Returns a function that connects; the given errors are raised first, one per attempt."""
    monkeypatch.setattr(server.endpoints, "check_answers", lambda *_: None)
    monkeypatch.setattr(server.time, "sleep", lambda _: None)
    settings = MySqlMetadata(kind="mysql", host="127.0.0.1", database="mlmd", user="shortlist")
    metadata = ServerDatabase(Workspace(tmp_path, "shop", settings), settings)

    def call(*errors):
        left = list(errors)

        def open_store(_):
            if left:
                raise RuntimeError(left.pop(0))
            return "connected"

        monkeypatch.setattr(server, "open_store", open_store)
        return metadata._connect()

    return call


@pytest.mark.parametrize("message", IN_CREATION)
def test_tables_in_creation_are_waited_for(connect, message):
    assert connect(message, message) == "connected"


def test_other_errors_are_raised_at_once(connect):
    with pytest.raises(BadInputError, match="to accept the user 'shortlist', got: Unknown database"):
        connect("Unknown database 'mlmd'")
