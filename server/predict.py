"""TF Serving's REST API: `predict` by row and by column, status and metadata of a model.

The format is https://www.tensorflow.org/tfx/serving/api_rest. Any signature can be called.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.model import LoadedModel, number_of
from server.requests import RefusedRequest

DEFAULT_SIGNATURE = "serving_default"
_B64 = "b64"
_MAX_NAMED = 100


def predict(model: LoadedModel, content: bytes, max_rows: int) -> bytes:
    """Returns the body of the answer to a `predict` request.

    Args:
      model: The version.
      content: The request's body.
      max_rows: Rows that a request may have.

    Raises:
      RefusedRequest: The request is wrong.
    """
    try:
        # Not orjson: the format has NaN and Infinity.
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise RefusedRequest(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise RefusedRequest(400, "The body must be an object with `instances` or `inputs`.")
    name = body.get("signature_name") or DEFAULT_SIGNATURE
    signature = signature_of(model, name)
    if ("instances" in body) == ("inputs" in body):
        raise RefusedRequest(400, "Give either `instances` (rows) or `inputs` (columns).")
    specs = signature.structured_input_signature[1]
    by_row = "instances" in body
    columns = _columns_of_rows(body["instances"], specs) if by_row else _columns(body["inputs"], specs)
    tensors = tensors_of(columns, specs, max_rows)
    outputs = {key: value.numpy() for key, value in call(signature, tensors).items()}
    return _rows_json(outputs) if by_row else _columns_json(outputs)


def signature_of(model: LoadedModel, name: object) -> Any:
    """Returns a signature.

    Raises:
      RefusedRequest: The model has no such one.
    """
    if not isinstance(name, str) or name not in model.signatures:
        raise RefusedRequest(400, f"The model has no signature {str(name)[:_MAX_NAMED]!r}.")
    return model.signatures[name]


def _columns_of_rows(rows: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise RefusedRequest(400, "`instances` must be a list with one entry per row.")
    named = [row for row in rows if isinstance(row, dict) and set(row) != {_B64}]
    if not named and len(specs) == 1:
        # A signature with one input takes its bare values.
        return {next(iter(specs)): rows}
    if len(named) != len(rows):
        raise RefusedRequest(400, f"Each row must be an object with the inputs {sorted(specs)}.")
    names = set(named[0])
    for row in named:
        if set(row) != names:
            raise RefusedRequest(400, "All rows must have the same inputs.")
    return {name: [row[name] for row in named] for name in names}


def _columns(inputs: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(inputs, dict) and set(inputs) != {_B64}:
        return inputs
    if len(specs) == 1:
        return {next(iter(specs)): inputs}
    raise RefusedRequest(400, f"`inputs` must be an object with the inputs {sorted(specs)}.")


def tensors_of(columns: Mapping[str, Any], specs: Mapping[str, Any], max_rows: int) -> dict[str, Any]:
    """Returns the tensors of a request's columns.

    Raises:
      RefusedRequest: Names, shapes or types are wrong, or there are too many rows.
    """
    import tensorflow as tf

    if unknown := sorted(set(columns) - set(specs)):
        raise RefusedRequest(400, f"The signature has no input {unknown[0][:_MAX_NAMED]!r}; it has {sorted(specs)}.")
    if missing := sorted(set(specs) - set(columns)):
        raise RefusedRequest(400, f"The input {missing[0]!r} is missing.")
    tensors, sizes = {}, set()
    for name, spec in specs.items():
        values = _decoded(columns[name])
        if isinstance(values, list | np.ndarray) and _num_rows(values) > max_rows:
            raise RefusedRequest(
                400, f"The request has {_num_rows(values):,} rows; this server takes at most {max_rows:,}."
            )
        try:
            tensor = tf.constant(np.zeros([0] * spec.shape.rank) if _is_empty(values) else values, spec.dtype)
        except (TypeError, ValueError, OverflowError, RecursionError, tf.errors.InvalidArgumentError):
            raise RefusedRequest(400, f"{name} must have values of type {spec.dtype.name} in equal lengths.") from None
        if not spec.shape.is_compatible_with(tensor.shape):
            raise RefusedRequest(400, f"{name} has the shape {tensor.shape}; expected {spec.shape}.")
        tensors[name] = tensor
        if tensor.shape.rank:
            sizes.add(int(tensor.shape[0]))
    if len(sizes) > 1:
        raise RefusedRequest(400, f"The inputs have different numbers of rows: {sorted(sizes)}.")
    return tensors


def _num_rows(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return int(values.shape[0]) if values.ndim else 1
    return len(values) if isinstance(values, list) else 1


def _is_empty(values: Any) -> bool:
    return isinstance(values, list) and not values


def call(signature: Any, tensors: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the outputs of a signature.

    Raises:
      RefusedRequest: TensorFlow refuses the inputs.
    """
    import tensorflow as tf

    try:
        outputs: Mapping[str, Any] = signature(**tensors)
    except tf.errors.InvalidArgumentError:
        raise RefusedRequest(400, "The model refuses these inputs: their shapes or values do not fit.") from None
    return outputs


def _decoded(value: Any) -> Any:
    """Returns a value with its `{"b64": ...}` objects as bytes."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        if set(value) != {_B64} or not isinstance(value[_B64], str):
            raise RefusedRequest(400, 'A value is an object; only {"b64": "..."} is one.')
        try:
            return base64.b64decode(value[_B64], validate=True)
        except (binascii.Error, ValueError):
            raise RefusedRequest(400, "A value of `b64` is not base64.") from None
    if isinstance(value, str):
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError:
            raise RefusedRequest(400, "A text has half a character.") from None
    return value


def _rows_json(outputs: Mapping[str, Any]) -> bytes:
    columns = {name: _plain(name, values) for name, values in outputs.items()}
    if len(columns) == 1:
        [rows] = columns.values()
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _dumps({"predictions": rows})


def _columns_json(outputs: Mapping[str, Any]) -> bytes:
    columns = {name: _plain(name, values) for name, values in outputs.items()}
    return _dumps({"outputs": next(iter(columns.values())) if len(columns) == 1 else columns})


def _plain(name: str, values: Any) -> Any:
    plain = values.tolist()
    if values.dtype != object:
        return _shortest(plain) if values.dtype == np.float32 else plain
    return _texts(plain, as_base64=name.endswith("_bytes"))


def _shortest(values: Any) -> Any:
    """Returns float32 numbers as the shortest decimals that denote them, as TF Serving does."""
    if isinstance(values, list):
        return [_shortest(value) for value in values]
    return float(np.format_float_scientific(np.float32(values), unique=True)) if np.isfinite(values) else values


def _texts(values: Any, as_base64: bool) -> Any:
    if isinstance(values, list):
        return [_texts(value, as_base64) for value in values]
    if as_base64:
        return {_B64: base64.b64encode(values).decode("ascii")}
    return values.decode("utf-8", "replace")


def _dumps(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def status(versions: Sequence[str], refused: Mapping[str, str]) -> dict[str, Any]:
    """Returns the answer to a request for a model's status.

    Args:
      versions: The versions that take traffic.
      refused: Versions that were refused.
    """
    states = [(number, "AVAILABLE", "OK", "") for number in versions]
    # The reason has paths of this machine; the log has it.
    states += [(number, "END", "FAILED_PRECONDITION", "refused, see the server's log") for number in refused]
    return {
        "model_version_status": [
            {
                "version": str(number_of(number)),
                "state": state,
                "status": {"error_code": code, "error_message": message},
            }
            for number, state, code, message in sorted(states, key=lambda entry: -number_of(entry[0]))
        ]
    }


def metadata(name: str, model: LoadedModel) -> dict[str, Any]:
    """Returns the answer to a request for a model's signatures."""
    from google.protobuf import json_format

    signatures = {
        key: json_format.MessageToDict(definition, preserving_proto_field_name=True)
        for key, definition in signature_defs(model).items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": model.version},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def signature_defs(model: LoadedModel) -> Mapping[str, Any]:
    """Returns the SignatureDefs in the version's file."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((model.folder / "saved_model.pb").read_bytes())
    return dict(content.meta_graphs[0].signature_def)
