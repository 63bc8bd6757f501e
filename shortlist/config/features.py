"""Feature columns: their types and the settings of their embeddings."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from shortlist.config import paths
from shortlist.config.section import Section, Text, Whole
from shortlist.quoting import short_repr


class FeatureType(str, enum.Enum):
    """Type of a feature; it decides how a column is read, transformed and embedded."""

    CATEGORY = "category"
    MULTI_CATEGORY = "multi_category"
    NUMERIC = "numeric"
    TEXT = "text"
    TIMESTAMP = "timestamp"
    VECTOR = "vector"


MAX_TOKENS = 64
"""Default of `max_tokens`."""

LISTS = (FeatureType.TEXT, FeatureType.MULTI_CATEGORY)
"""Types of features with several values of a vocabulary per row."""

# An interaction has one value of each; a client sends one per item of the history, or one per request.
ONE_VALUE = (FeatureType.CATEGORY, FeatureType.NUMERIC, FeatureType.TIMESTAMP)


class Feature(Section):
    """One feature column. `genres: category` is short for `genres: {type: category}`."""

    type: FeatureType
    """`category`: one value. `multi_category`: several values. `numeric`: a number. `text`: split into lower-case
    words, whose letters keep their marks. `timestamp`: a time. `vector`: a list of `dim` numbers, such as the embedding
    of a text or an image; a learned layer projects it."""

    delimiter: str | None = None
    """Separator between the values of a multi_category column; `|` by default."""

    column: Text | None = None
    """Name of the column in the file; the feature's name by default."""

    max_vocabulary: Whole = pydantic.Field(20_000, ge=1, le=10_000_000)
    """Maximum number of values with an embedding of their own. Rarer values share one embedding."""

    # The features of all candidates are as wide as the longest. In 1,682 titles, one text of 10,000 words took the
    # embedding of all with its gradient from 1.9 ms of CPU to 1.2 s and 4.5 GB; one of 64 words takes it to 8.5 ms.
    max_tokens: Whole = pydantic.Field(MAX_TOKENS, ge=1, le=1_000_000)
    """Maximum number of words of a text, or of values of a multi_category column, that are read: the first ones. The
    longest one decides on memory and time for all, so that one long text would slow everything down."""

    dim: Whole | None = pydantic.Field(None, ge=1, le=8_192)
    """Number of values of a vector."""

    missing: Literal["error", "zero"] = "error"
    """A row without a vector: refuse it, or take zeros."""

    path: str | None = None
    """File with the vectors, instead of a column of the table: a matrix in NumPy's format `.npy`, which every machine
    that reads the table can open. It is memory-mapped. Relative paths start at SHORTLIST_DATA_DIR."""

    ids: str | None = None
    """File with the id of each row of `path`: UTF-8, one id per line. Vectors are joined to the table by id."""

    @pydantic.model_serializer(mode="wrap")
    def _without_vector_settings(self, serialize: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Fingerprints of the features of earlier versions stay the same.
        values: dict[str, Any] = serialize(self)
        absent = {name for name in ("path", "ids") if getattr(self, name) is None}
        if self.max_tokens == MAX_TOKENS:
            absent.add("max_tokens")
        if self.type is not FeatureType.VECTOR:
            absent |= {"dim", "missing"}
        return {name: value for name, value in values.items() if name not in absent}

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _check_max_tokens(self) -> Feature:
        if "max_tokens" in self.model_fields_set and self.type not in LISTS:
            raise ValueError(f"max_tokens needs type text or multi_category, got {self.type.value}")
        return self

    @pydantic.model_validator(mode="after")
    def _check_delimiter(self) -> Feature:
        if self.delimiter is not None and self.type is not FeatureType.MULTI_CATEGORY:
            raise ValueError(f"delimiter needs type multi_category, got {self.type.value}")
        if self.delimiter == "":
            raise ValueError("delimiter must not be empty")
        return self

    @pydantic.model_validator(mode="after")
    def _check_vector(self) -> Feature:
        is_vector = self.type is FeatureType.VECTOR
        if is_vector and self.dim is None:
            raise ValueError("type vector needs dim, the number of values")
        if not is_vector and (self.dim is not None or self.missing != "error"):
            raise ValueError(f"dim and missing need type vector, got {self.type.value}")
        if (self.path is None) != (self.ids is None):
            raise ValueError("expected both path and ids, or neither: a file of vectors and one with their ids")
        if self.path is not None and not is_vector:
            raise ValueError(f"path and ids need type vector, got {self.type.value}")
        if self.path is not None and self.column is not None:
            raise ValueError("expected either column or path: the vectors are in the table or in a file of their own")
        return self

    @pydantic.field_validator("path", "ids")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        if path is not None:
            paths.check_path(path)
            if paths.is_wild(path) or paths.is_uri(path):
                raise ValueError(f"expected the path of one file of this machine, got {short_repr(path)}")
        return path


def of_model(features: Mapping[str, Feature]) -> dict[str, Any]:
    """Returns features by name as JSON types, without what no model depends on: where vectors were read."""
    return {name: feature.model_dump(mode="json", exclude={"path", "ids"}) for name, feature in features.items()}


class InteractionFeature(Feature):
    """One feature column of the log. `rating: numeric` is short for `rating: {type: numeric}`."""

    known_at_request: bool = False
    """Whether the value is known when recommendations are requested, such as the hour or the device. The model then
    reads it as `context_<name>`. A value that comes with the interaction, such as a rating, would leak the target."""

    @pydantic.model_validator(mode="after")
    def _check_no_vector(self) -> InteractionFeature:
        if self.type is FeatureType.VECTOR:
            raise ValueError("type vector is for candidates and queries, not for interactions")
        return self

    @pydantic.model_validator(mode="before")
    @classmethod
    def _of_feature(cls, value: object) -> object:
        """Accepts a plain `Feature`, whose value is not known at a request."""
        if isinstance(value, Feature) and not isinstance(value, cls):
            return {name: getattr(value, name) for name in value.model_fields_set}
        return value

    @pydantic.model_validator(mode="after")
    def _check_known(self) -> InteractionFeature:
        if self.known_at_request and self.type not in ONE_VALUE:
            raise ValueError(f"known_at_request needs type category, numeric or timestamp, got {self.type.value}")
        return self
