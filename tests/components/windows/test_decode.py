import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from components.windows import decode
from tests.components.windows import flat

KINDS = {"id": schema_pb2.BYTES, "time": schema_pb2.INT, "weight": schema_pb2.FLOAT}


@pytest.fixture(scope="module")
def decoder():
    return decode.Decoder(KINDS)


def test_values_and_missing_ones(decoder):
    records = [
        flat.example(id=[b"a\n\xc3\xa9"], time=[2**62], weight=[0.1], other=[b"x"]),
        flat.example(time=[0]),
        flat.example(id=[b""], weight=[-1.0]),
    ]
    # 0.1 in float32, as Protobuf reads it.
    assert decoder.decode(records) == {
        "id": [b"a\n\xc3\xa9", None, b""],
        "time": [2**62, 0, None],
        "weight": [0.10000000149011612, None, -1.0],
    }


def test_without_missing_values(decoder):
    records = [flat.example(id=[b"%d" % number], time=[number], weight=[1.0]) for number in range(3)]
    assert decoder.decode(records) == {"id": [b"0", b"1", b"2"], "time": [0, 1, 2], "weight": [1.0] * 3}


def test_no_examples(decoder):
    assert decoder.decode([]) == {"id": [], "time": [], "weight": []}
