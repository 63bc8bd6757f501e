"""The windows of a run as histories: the newest window of each query, with the query's features.

The files are read without TensorFlow, which only the process of a model imports: TFRecords of tf.train.Example.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import pathlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from server.documents import Documents
from server.known import Event, FeatureReader, Known, Misfit
from server.stored_values import StoredValues
from shortlist import keys
from shortlist.errors import BadInputError

# The newest last: a test window has the eval target in its history.
_SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)
_LISTS = ("bytes_list", "float_list", "int64_list")
# Length and its checksum; the checksum after the content. gzip has one of its own.
_HEADER, _FOOTER = 12, 4
_OF_TARGETS = (keys.TARGET_IDS, keys.TARGET_TIMES, keys.TARGET_WEIGHTS)
_FIXED = frozenset({keys.QUERY_ID, keys.HISTORY_IDS, keys.HISTORY_TIMES, keys.SEEN_IDS, *_OF_TARGETS})


class WindowHistories:
    """The newest window of each query. `find` can be called from several threads."""

    def __init__(self, folder: pathlib.Path, memory_mb: float) -> None:
        """Reads the windows.

        Args:
          folder: The output `examples` of the node Windows, with a folder per split.
          memory_mb: Size up to which they are kept in memory; larger ones go to a temporary sqlite file.

        Raises:
          BadInputError: A file is damaged, or has other records.
        """
        self._documents = Documents(memory_mb)
        self._of_queries, self._of_events = StoredValues(folder), StoredValues(folder)
        try:
            for split in _SPLITS:
                for path in sorted((folder / f"Split-{split}").glob("*.gz")):
                    self._add_file(path)
            self._documents.flush()
        except BaseException:
            self._documents.close()
            raise

    @staticmethod
    def is_at(folder: pathlib.Path) -> bool:
        """Returns whether a folder has windows."""
        return any((folder / f"Split-{split}").is_dir() for split in _SPLITS)

    def _add_file(self, path: pathlib.Path) -> None:
        try:
            # A file is sorted by query, and by the position of its targets.
            for query, windows in itertools.groupby(map(_parsed, _records(path)), lambda row: row[keys.QUERY_ID][0]):
                time, document = _newest(list(windows))
                row = functools.partial("a window of query {!r} in {}".format, query, path.name)
                self._of_queries.add(document["features"], row)
                for name, values in document["of_items"].items():
                    for value in values:
                        self._of_events.add({name: value}, row)
                self._documents.add(query, time, orjson.dumps(document))
        except (OSError, EOFError, zlib.error, struct.error, DecodeError, KeyError, ValueError, IndexError) as error:
            raise BadInputError.from_reason(path, "windows of a run", str(error).split("\n")[0]) from None

    @property
    def is_in_memory(self) -> bool:
        """Whether `find` reads no file."""
        return self._documents.is_in_memory

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Returns the columns that a model cannot read."""
        return [*features.misfits_of_queries(self._of_queries), *features.misfits_of_events(self._of_events)]

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for an unknown query."""
        content = self._documents.find(query_id)
        if content is None:
            return None
        found = orjson.loads(content)
        names = sorted(found["of_items"])
        columns = [found["of_items"][name] for name in names]
        events = [
            Event(item, time, {name: column[row] for name, column in zip(names, columns, strict=True)})
            for row, (item, time) in enumerate(zip(found["ids"], found["times"], strict=True))
            if time < before
        ]
        is_whole = len(events) == len(found["ids"])
        return Known(events, found["features"], tuple(found["seen"]) if is_whole else ())

    def close(self) -> None:
        """Frees what they take."""
        self._documents.close()


def _newest(windows: Sequence[Mapping[str, list[Any]]]) -> tuple[int, dict[str, Any]]:
    """Returns the newest time of a query, and its history with the targets, since these have happened by now.

    Args:
      windows: The query's windows of one split, in order.
    """
    last = windows[-1]
    ids, times = list(last.get(keys.HISTORY_IDS, [])), list(last.get(keys.HISTORY_TIMES, []))
    newest = max(_target_times(last))
    of_items = {
        name.removeprefix(keys.HISTORY_FEATURE): (values + [None] * len(ids))[: len(ids)]
        for name, values in last.items()
        if name.startswith(keys.HISTORY_FEATURE) and name not in _FIXED
    }
    # Rows of one basket are not in each other's history.
    past = set(zip(ids, times, strict=True))
    for window in windows:
        targets = zip(window.get(keys.TARGET_IDS, []), _target_times(window), strict=True)
        for place, (item, time) in enumerate(targets):
            if window is not last and (time != newest or (item, time) in past):
                continue
            ids.append(item)
            times.append(time)
            for feature, column in of_items.items():
                # Only targets of train have all features of a history's items.
                column.append(next(iter(window.get(keys.CONTEXT_FEATURE + feature, [])[place : place + 1]), None))
    prefixes = (keys.HISTORY_FEATURE, keys.CONTEXT_FEATURE)
    features = {name: values for name, values in last.items() if name not in _FIXED and not name.startswith(prefixes)}
    seen = sorted(set(last.get(keys.SEEN_IDS, [])) - set(ids))
    return newest, {"ids": ids, "times": times, "of_items": of_items, "features": features, "seen": seen}


def _target_times(window: Mapping[str, list[Any]]) -> list[int]:
    return window.get(keys.TARGET_TIMES) or [0] * len(window[keys.TARGET_IDS])


def _records(path: pathlib.Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while header := file.read(_HEADER):
            [length] = struct.unpack("<Q", header[:8])
            content = file.read(length + _FOOTER)
            if len(header) < _HEADER or len(content) < length + _FOOTER:
                raise EOFError("the last record is cut off")
            yield content[:length]


def _parsed(record: bytes) -> dict[str, list[Any]]:
    """Returns the values by feature; strings as text."""
    found = {}
    for entry in _example_class().FromString(record).features.feature:
        kind = entry.value.WhichOneof("kind")
        values = [] if kind is None else list(getattr(entry.value, kind).value)
        found[entry.key] = [value.decode("utf-8") for value in values] if kind == "bytes_list" else values
    return found


@functools.cache
def _example_class() -> Any:
    """Returns a message class that reads tf.train.Example."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="shortlist", syntax="proto3")

    def add(name: str, *fields: tuple[str, int, str], repeated: bool = False, oneof: str | None = None) -> None:
        message = file.message_type.add(name=name)
        if oneof is not None:
            message.oneof_decl.add(name=oneof)
        for number, (field, kind, type_name) in enumerate(fields, start=1):
            added = message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if type_name:
                added.type_name = f".shortlist.{type_name}"
            if oneof is not None:
                added.oneof_index = 0

    types = descriptor_pb2.FieldDescriptorProto
    add("BytesList", ("value", types.TYPE_BYTES, ""), repeated=True)
    add("FloatList", ("value", types.TYPE_FLOAT, ""), repeated=True)
    add("Int64List", ("value", types.TYPE_INT64, ""), repeated=True)
    lists = zip(_LISTS, ("BytesList", "FloatList", "Int64List"), strict=True)
    add("Feature", *((name, types.TYPE_MESSAGE, kind) for name, kind in lists), oneof="kind")
    # A map's entries are messages of a key and a value.
    add("Entry", ("key", types.TYPE_STRING, ""), ("value", types.TYPE_MESSAGE, "Feature"))
    add("Features", ("feature", types.TYPE_MESSAGE, "Entry"), repeated=True)
    add("Example", ("features", types.TYPE_MESSAGE, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("shortlist.Example"))
