from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.problems import find_anomalies


def _anomalies(text):
    return text_format.Parse(text, anomalies_pb2.Anomalies())


def test_a_problem_names_table_feature_anomaly_remedy_and_schema():
    anomalies = _anomalies(
        """anomaly_info { key: "gender" value {
             severity: ERROR
             reason { type: ENUM_TYPE_UNEXPECTED_STRING_VALUES description: "Examples contain values: X (~2%)." } } }"""
    )
    [problem] = find_anomalies("queries", anomalies, "schemas/x/queries.pbtxt")
    assert str(problem) == (
        "queries, feature 'gender': Examples contain values: X (~2%); correct the values, or add them "
        "to the feature's `string_domain` (schemas/x/queries.pbtxt)"
    )


def test_warnings_do_not_stop_a_run():
    anomalies = _anomalies('anomaly_info { key: "a" value { severity: WARNING reason { description: "x" } } }')
    assert find_anomalies("queries", anomalies, "s") == []
