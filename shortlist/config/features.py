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


# An interaction has one value of each; a client sends one per item of the history, or one per request.
ONE_VALUE = (FeatureType.CATEGORY, FeatureType.NUMERIC, FeatureType.TIMESTAMP)


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


class InteractionFeature(Feature):
    """One feature column of the log. `rating: numeric` is short for `rating: {type: numeric}`."""

    known_at_request: bool = False
    """Whether the value is known when recommendations are requested, such as the hour or the device. The model then
    reads it as `context_<name>`. A value that comes with the interaction, such as a rating, would leak the target."""

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
