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
    now = [0.0]
    monkeypatch.setattr(server.time, "monotonic", lambda: now[0])

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr(server.time, "sleep", sleep)
    settings = MySqlMetadata(kind="mysql", host="127.0.0.1", database="mlmd", user="shortlist")
    metadata = ServerDatabase(Workspace(tmp_path, "shop", settings), settings)

    def call(*errors, for_ever=""):
        left = list(errors)
        now[0] = 0.0

        def open_store(_):
            if left:
                raise RuntimeError(left.pop(0))
            if for_ever:
                raise RuntimeError(for_ever)
            return "connected"

        monkeypatch.setattr(server, "open_store", open_store)
        return metadata._connect()

    call.seconds = lambda: now[0]
    return call


@pytest.mark.parametrize("message", IN_CREATION)
def test_tables_in_creation_are_waited_for(connect, message):
    assert connect(message, message) == "connected"


def test_other_errors_are_raised_at_once(connect):
    with pytest.raises(BadInputError, match="to accept the user 'shortlist', got: Unknown database"):
        connect("Unknown database 'mlmd'")


def test_failed_statement_is_tried_again_for_seconds_only(connect):
    lock = "mysql_query aborted: errno: Lock wait timeout exceeded; try restarting transaction"
    assert connect(lock, lock) == "connected"
    with pytest.raises(BadInputError, match="got: mysql_query aborted: .* --read-only option"):
        connect(for_ever="mysql_query aborted: errno: The MariaDB server is running with the --read-only option")
    assert 3 < connect.seconds() < 4


def test_missing_rights_are_refused_at_once(connect):
    with pytest.raises(BadInputError, match="CREATE command denied"):
        connect(for_ever="mysql_query aborted: errno: CREATE command denied to user 'shortlist'@'localhost'")
    assert connect.seconds() == 0


@pytest.mark.parametrize(
    "message",
    [
        IN_CREATION[2],
        "In the given db, MLMDEnv table exists but no schema_version can be found. This may be due to concurrent "
        "connection to the empty database. Please retry connection.",
    ],
)
def test_tables_that_nobody_completes(connect, message):
    with pytest.raises(BadInputError, match="all tables of ML Metadata, or none, got a part of them") as refused:
        connect(for_ever=message)
    assert "drop these tables" in refused.value.remedy
    assert 30 < connect.seconds() < 31
