"""Vectors of the candidates in the formats that other vector stores read, one row at a time."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from components.bulk.vectors import Vectors

VectorFormat = Literal["parquet", "npy", "qdrant", "milvus"]

_ROWS_PER_GROUP = 65_536
_QDRANT_BATCH = 1_000
# Qdrant takes UUIDs or whole numbers as ids of points: equal ids give equal points, so that an upsert replaces them.
_NAMESPACE = uuid.UUID("6f9c1b0e-5d0f-5c55-9a5b-3a1d6c6f7e21")


def write_vectors(vectors: Vectors, form: VectorFormat, folder: str) -> list[str]:
    """Writes the files of a format into an existing folder, and returns their names.

    - `parquet`: `embeddings.parquet` with `id` (string) and `embedding` (list of float32 of fixed size).
    - `npy`: `embeddings.npy`, float32 [corpus_size, embedding_dim], and `ids.txt`, or `ids.json` if an id has a line
      break: the id of each row.
    - `qdrant`: `qdrant.jsonl`, per line the body of one request `PUT /collections/NAME/points` with at most 1,000
      points: `{"points": [{"id": UUID, "vector": [...], "payload": {"candidate_id": ...}}]}`. Qdrant's ids are UUIDs or
      numbers, so each is the UUID (version 5) of the candidate's id.
    - `milvus`: `milvus.jsonl`, an object `{"id": ..., "vector": [...]}` per line, as Milvus' bulk insert reads rows
      into a collection with the fields `id` (VARCHAR) and `vector` (FLOAT_VECTOR).

    Args:
      vectors: The candidates.
      form: See above.
      folder: Where the files go.
    """
    if form == "parquet":
        return [_write_parquet(vectors, folder)]
    if form == "npy":
        return _write_npy(vectors, folder)
    name = f"{form}.jsonl"
    lines = _qdrant_lines(vectors) if form == "qdrant" else _milvus_lines(vectors)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return [name]


def point_id(candidate_id: str) -> str:
    """Returns the id of a candidate's point in Qdrant, a UUID that depends on the candidate's id alone."""
    return str(uuid.uuid5(_NAMESPACE, candidate_id))


def _write_parquet(vectors: Vectors, folder: str) -> str:
    name, width = "embeddings.parquet", vectors.embeddings.shape[1]
    schema = pa.schema([("id", pa.string()), ("embedding", pa.list_(pa.float32(), width))])
    with pq.ParquetWriter(os.path.join(folder, name), schema, compression="zstd") as writer:
        for start in range(0, len(vectors.ids), _ROWS_PER_GROUP):
            rows = vectors.embeddings[start : start + _ROWS_PER_GROUP]
            ids = pa.array(_texts(vectors.ids[start : start + _ROWS_PER_GROUP]), pa.string())
            values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), pa.float32()), width)
            writer.write_table(pa.Table.from_arrays([ids, values], schema=schema))
    return name


def _write_npy(vectors: Vectors, folder: str) -> list[str]:
    np.save(os.path.join(folder, "embeddings.npy"), vectors.embeddings)
    ids = _texts(vectors.ids)
    # Readers split lines at all of these.
    has_breaks = any(len(text.splitlines()) != 1 or text.splitlines()[0] != text for text in ids)
    name = "ids.json" if has_breaks else "ids.txt"
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
        if has_breaks:
            json.dump(ids, file, ensure_ascii=False)
        else:
            file.writelines(f"{text}\n" for text in ids)
    return ["embeddings.npy", name]


def _qdrant_lines(vectors: Vectors) -> Iterator[str]:
    for start in range(0, len(vectors.ids), _QDRANT_BATCH):
        points = [
            {"id": point_id(text), "vector": _numbers(row), "payload": {"candidate_id": text}}
            for text, row in zip(
                _texts(vectors.ids[start : start + _QDRANT_BATCH]),
                vectors.embeddings[start : start + _QDRANT_BATCH],
                strict=True,
            )
        ]
        yield json.dumps({"points": points}, ensure_ascii=False)


def _milvus_lines(vectors: Vectors) -> Iterator[str]:
    for raw, row in zip(vectors.ids, vectors.embeddings, strict=True):
        yield json.dumps({"id": raw.decode("utf-8", "replace"), "vector": _numbers(row)}, ensure_ascii=False)


def _texts(ids: list[bytes]) -> list[str]:
    return [raw.decode("utf-8", "replace") for raw in ids]


def _numbers(row: np.ndarray) -> list[float]:
    """Returns the numbers so that their text is short and has the same float32 value."""
    return [float(str(value)) for value in row]
