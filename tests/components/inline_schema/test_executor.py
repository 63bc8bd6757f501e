import pathlib

import pytest
from tfx.types import standard_artifacts

from components.inline_schema.component import InlineSchemas
from components.inline_schema.executor import Executor

TEXTS = {
    "interactions": 'feature { name: "query_id" type: BYTES }\n',
    "candidates": 'feature { name: "title" type: BYTES }\n',
    "queries": 'feature { name: "age" type: FLOAT }\n',
}


@pytest.mark.parametrize("tables", [("interactions", "candidates"), tuple(TEXTS)])
def test_each_table_gets_its_own_schema(tmp_path, tables):
    node = InlineSchemas({table: TEXTS[table] for table in tables})
    assert set(node.outputs) == set(tables)
    outputs = {}
    for table in tables:
        schema = standard_artifacts.Schema()
        schema.uri = str(tmp_path / table)
        pathlib.Path(schema.uri).mkdir()
        outputs[table] = [schema]
    Executor().Do({}, outputs, node.exec_properties)
    written = {table: (tmp_path / table / "schema.pbtxt").read_text() for table in tables}
    assert written == {table: TEXTS[table] for table in tables}
