"""Feature columns: their types and the settings of their embeddings."""

from __future__ import annotations

import enum
from typing import Any, Literal

import pydantic

from shortlist.config.section import Section, Text, Whole


class FeatureType(str, enum.Enum):
    """Type of a feature; it decides how a column is read, transformed and embedded."""

    CATEGORY = "category"
    MULTI_CATEGORY = "multi_category"
    NUMERIC = "numeric"
    TEXT = "text"
    TIMESTAMP = "timestamp"
    VECTOR = "vector"


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

    dim: Whole | None = pydantic.Field(None, ge=1, le=8_192)
    """Number of values of a vector."""

    missing: Literal["error", "zero"] = "error"
    """A row without a vector: refuse it, or take zeros."""

    @pydantic.model_serializer(mode="wrap")
    def _without_vector_settings(self, serialize: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Fingerprints of the features of earlier versions stay the same.
        values: dict[str, Any] = serialize(self)
        if self.type is not FeatureType.VECTOR:
            values = {name: value for name, value in values.items() if name not in ("dim", "missing")}
        return values

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

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
        return self


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
