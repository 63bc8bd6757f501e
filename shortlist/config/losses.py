"""The losses of `train.loss`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Union

import pydantic

from shortlist.config.section import Number, Section, Whole


class LossSection(Section):
    """Base of the loss sections.

    Code outside of the losses uses these methods instead of testing for a certain loss.
    """

    more_negatives: ClassVar[str] = ""
    """Advice for a target with few negatives."""

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch size that this loss cannot handle; accepts all by default.

        Args:
          batch_size: `train.batch_size`.

        Raises:
          ValueError: A step over such a batch would need too much memory.
        """

    def check_replicas(self, replicas: int) -> None:
        """Refuses a number of replicas among which this loss cannot be divided.

        Args:
          replicas: Workers or GPUs that train together.

        Raises:
          ValueError: A replica computes whole parts of a batch, and their number is no multiple of the replicas.
        """
        parts = getattr(self, "parts", replicas)
        if parts % replicas:
            raise ValueError(
                f"train.loss.parts {parts} is no multiple of the {replicas} workers or GPUs that compute them; set it "
                f"to {-(-parts // replicas) * replicas}"
            )

    def most_negatives(self, batch_size: int, num_targets: int) -> int | None:
        """Returns the maximum number of negatives per target; None if all other candidates are negatives.

        Args:
          batch_size: `train.batch_size`.
          num_targets: Number of train targets in all windows.
        """
        del batch_size, num_targets
        return None


class InBatchLoss(LossSection):
    """`tfrs.tasks.Retrieval`: softmax over the targets of the batch, plus uniformly sampled negatives."""

    kind: Literal["in_batch"] = "in_batch"
    """In-batch negatives."""

    temperature: Number = pydantic.Field(1.0, ge=1e-3, le=1e3)
    """Scores are divided by the temperature."""

    logq: bool = True
    """Apply logQ correction: subtract the log of a candidate's sampling probability from its score."""

    remove_accidental_hits: bool = True
    """Mask negatives that are the same candidate as the row's target."""

    num_hard_negatives: Whole | None = pydantic.Field(None, ge=1, le=1_000_000)
    """Use only this many negatives per target, those with the highest scores. All negatives by default."""

    uniform_negatives: Whole = pydantic.Field(0, ge=0, le=1_000_000)
    """Number of extra negatives per batch, drawn uniformly from the catalogue."""

    # tfrs.tasks.Retrieval 0.7.7 always builds [positions, positions + uniform_negatives] logits.
    max_positions: Whole = pydantic.Field(1024, ge=2, le=65_536)
    """Upper limit for train.batch_size. Memory grows with its square, because each target is scored against all."""

    more_negatives: ClassVar[str] = (
        "raise train.batch_size or train.loss.uniform_negatives, "
        "or use train.loss.kind: corpus while the catalogue fits, or sampled"
    )

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch of more than `max_positions` targets."""
        if batch_size > self.max_positions:
            raise ValueError(
                f"train.batch_size {batch_size} is more than train.loss.max_positions {self.max_positions}: "
                "every step scores each target of a batch against all of them; lower the first or raise the second"
            )

    def most_negatives(self, batch_size: int, num_targets: int) -> int:
        """Returns the number of other targets in the batch plus the uniform negatives."""
        return max(min(batch_size, num_targets) - 1, 0) + self.uniform_negatives


class CorpusLoss(LossSection):
    """Softmax over the whole catalogue, with exact masks for a query's other targets."""

    kind: Literal["corpus"] = "corpus"
    """The whole corpus as negatives."""

    temperature: Number = pydantic.Field(1.0, ge=1e-3, le=1e3)
    """Scores are divided by the temperature."""

    mask_other_targets: bool = True
    """Do not use a query's other targets in the window as negatives."""

    # Not the number of cores by default: the model would depend on the machine. On 2 cores, two parts train 1.5 times
    # faster than one part with parallel operations (decision 16).
    parts: Whole = pydantic.Field(2, ge=1, le=256)
    """Number of parts of a batch that are computed in parallel; best the number of cores. Another number changes the
    random noise, so the same seed then gives another model."""

    mask_unseen_candidates: bool = True
    """Candidates without train interactions are not used as negatives if they have features; otherwise they would
    never be recommended."""


class SampledLoss(LossSection):
    """Softmax over a sample of the catalogue that all targets of a batch share, for large catalogues."""

    kind: Literal["sampled"] = "sampled"
    """Sampled negatives, shared by a batch of whole windows."""

    temperature: Number = pydantic.Field(1.0, ge=1e-3, le=1e3)
    """Scores are divided by the temperature."""

    in_batch_negatives: Whole = pydantic.Field(1024, ge=0, le=1_000_000)
    """Number of negatives per batch that are drawn from the batch's targets, thus by popularity; all targets if there
    are fewer."""

    uniform_negatives: Whole = pydantic.Field(1024, ge=0, le=1_000_000)
    """Number of further negatives per batch, distinct candidates drawn uniformly from the catalogue; all candidates if
    there are fewer."""

    num_hard_negatives: Whole | None = pydantic.Field(None, ge=1, le=1_000_000)
    """Use only this many negatives per target, those with the highest corrected scores. All negatives by default."""

    logq: bool = True
    """Apply logQ correction: subtract from a negative's score the log of how often a batch's draws contain it on
    average."""

    mask_other_targets: bool = True
    """Do not use a query's other targets as negatives."""

    # As for the corpus loss (decision 16).
    parts: Whole = pydantic.Field(2, ge=1, le=256)
    """Number of parts of a batch that are computed in parallel; best the number of cores. Another number changes the
    random noise, so the same seed then gives another model."""

    mask_unseen_candidates: bool = True
    """Candidates without train interactions are not used as negatives if they have features; otherwise they would
    never be recommended."""

    more_negatives: ClassVar[str] = "raise train.loss.uniform_negatives or train.loss.in_batch_negatives"

    @pydantic.model_validator(mode="after")
    def _check_negatives(self) -> SampledLoss:
        drawn = self.in_batch_negatives + self.uniform_negatives
        if not drawn:
            raise ValueError(
                "expected in_batch_negatives or uniform_negatives above 0, got 0 for both: without a negative there is "
                "nothing to learn; raise one of them"
            )
        if self.num_hard_negatives is not None and self.num_hard_negatives > drawn:
            raise ValueError(
                f"num_hard_negatives {self.num_hard_negatives:,} is more than the {drawn:,} negatives of a batch: "
                "expected at most in_batch_negatives + uniform_negatives; lower the first or raise one of the others"
            )
        return self

    def most_negatives(self, batch_size: int, num_targets: int) -> int:
        """Returns the number of draws from the batch's targets plus the uniform negatives."""
        del batch_size
        drawn = min(self.in_batch_negatives, max(num_targets - 1, 0)) + self.uniform_negatives
        return drawn if self.num_hard_negatives is None else min(drawn, self.num_hard_negatives)


Loss = Annotated[Union[InBatchLoss, CorpusLoss, SampledLoss], pydantic.Field(discriminator="kind")]
