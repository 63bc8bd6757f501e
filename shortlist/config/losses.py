"""Losses that `train.loss` chooses from."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import Section


class InBatchLoss(Section):
    """`tfrs.tasks.Retrieval`: softmax over the batch's own targets, plus uniform negatives."""

    kind: Literal["in_batch"] = "in_batch"

    temperature: float = pydantic.Field(1.0, gt=0.0)
    """Scores are divided by it."""

    logq: bool = True
    """Correct the scores for how often the sampler draws a candidate."""

    remove_accidental_hits: bool = True
    """Mask negatives that are the row's own target."""

    num_hard_negatives: int | None = pydantic.Field(None, ge=1)
    """Only the highest scoring negatives count; all of them unless given."""

    uniform_negatives: int = pydantic.Field(0, ge=0)
    """Candidates drawn uniformly from the catalogue for every batch."""

    max_positions: int = pydantic.Field(1024, ge=2)
    """Largest train.batch_size that is let pass: the logits are at least its square."""


class CorpusLoss(Section):
    """Softmax over the whole catalogue; a query's other targets are masked exactly."""

    kind: Literal["corpus"] = "corpus"

    temperature: float = pydantic.Field(1.0, gt=0.0)
    """Scores are divided by it."""

    mask_other_targets: bool = True
    """A query's own other targets in the window are no negatives."""

    parts: int = pydantic.Field(2, ge=1, le=256)
    """Parts of a batch that are computed side by side, best as many as there are cores. Another number draws other
    noise, so that a seed gives another model."""

    mask_unseen_candidates: bool = True
    """Candidates that train never met are no negatives, where they have features to be known by: nobody was seen to
    pass them over, and a negative of all rows is recommended to nobody."""


Loss = Annotated[Union[InBatchLoss, CorpusLoss], pydantic.Field(discriminator="kind")]
