"""Losses that `train.loss` chooses from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Union

import pydantic

from shortlist.config.section import Section


class LossSection(Section):
    """Base of a loss's section: answers for parts of the config and of a run that know no loss by name."""

    more_negatives: ClassVar[str] = ""
    """The remedy where a target has few negatives."""

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a `train.batch_size`; none by default.

        Raises:
          ValueError: A step over such a batch is too large.
        """

    def most_negatives(self, batch_size: int, num_targets: int) -> int | None:
        """Returns the most negatives that a target has; None where all other candidates are.

        Args:
          batch_size: `train.batch_size`.
          num_targets: Train targets in all windows.
        """
        del batch_size, num_targets
        return None


class InBatchLoss(LossSection):
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

    more_negatives: ClassVar[str] = (
        "raise train.batch_size or train.loss.uniform_negatives, "
        "or use train.loss.kind: corpus while the catalogue fits"
    )

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch of more than `max_positions`."""
        if batch_size > self.max_positions:
            raise ValueError(
                f"train.batch_size {batch_size} is more than train.loss.max_positions {self.max_positions}: "
                "every step scores each target of a batch against all of them; lower the one or raise the other"
            )

    def most_negatives(self, batch_size: int, num_targets: int) -> int:
        """Returns the number of the batch's other targets and of the uniform negatives."""
        # Of a batch's targets one is the row's own.
        return max(min(batch_size, num_targets) - 1, 0) + self.uniform_negatives


class CorpusLoss(LossSection):
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
