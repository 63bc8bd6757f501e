"""Feature columns: their types and the settings of their embeddings."""

from __future__ import annotations

import enum

import pydantic

from shortlist.config.section import Section, Text, Whole


class FeatureType(str, enum.Enum):
    """Type of a feature; it decides how a column is read, transformed and embedded."""

    CATEGORY = "category"
    MULTI_CATEGORY = "multi_category"
    NUMERIC = "numeric"
    TEXT = "text"
    TIMESTAMP = "timestamp"


class Feature(Section):
    """One feature column. `genres: category` is short for `genres: {type: category}`."""

    type: FeatureType
    """`category`: one value. `multi_category`: several values. `numeric`: a number. `text`: split into lower-case
    words, whose letters keep their marks. `timestamp`: a time."""

    delimiter: str | None = None
    """Separator between the values of a multi_category column; `|` by default."""

    column: Text | None = None
    """Name of the column in the file; the feature's name by default."""

    max_vocabulary: Whole = pydantic.Field(20_000, ge=1, le=10_000_000)
    """Maximum number of values with an embedding of their own. Rarer values share one embedding."""

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
