"""Feature columns: their types and how their values become embeddings."""

from __future__ import annotations

import enum

import pydantic

from shortlist.config.section import Section


class FeatureType(str, enum.Enum):
    """How a column is read, transformed and embedded."""

    CATEGORY = "category"
    MULTI_CATEGORY = "multi_category"
    NUMERIC = "numeric"
    TEXT = "text"
    TIMESTAMP = "timestamp"


class Feature(Section):
    """One feature column. `genres: category` is short for `genres: {type: category}`."""

    type: FeatureType
    """category, multi_category, numeric, text (split into lower-case words) or timestamp."""

    delimiter: str | None = None
    """Separator between the values of a multi_category column; `|` unless told."""

    column: str | None = None
    """Name of the column in the file, where it differs from the feature's name."""

    max_vocabulary: int = pydantic.Field(20_000, ge=1)
    """Most values that get an embedding of their own; rarer ones share one."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _delimiter_needs_multi(self) -> Feature:
        if self.delimiter is not None and self.type is not FeatureType.MULTI_CATEGORY:
            raise ValueError(f"delimiter needs type multi_category, got {self.type.value}")
        if self.delimiter == "":
            raise ValueError("delimiter must not be empty")
        return self
