"""22 small faults, at least one in each component, that the tests of that component must find."""

from __future__ import annotations

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A fault put into one place of the source.

    Attributes:
      file: Source file, relative to the root.
      old: Text that occurs exactly once in it, as short as that allows: the files change.
      new: Text that takes its place.
      fault: What goes wrong then.
      tests: Test files or folders that must fail, relative to `tests/components`.
    """

    file: str
    old: str
    new: str
    fault: str
    tests: tuple[str, ...]

    @property
    def source(self) -> pathlib.Path:
        """The file in this tree."""
        return ROOT / self.file

    def apply(self, root: pathlib.Path) -> None:
        """Puts the fault into the copy of the tree at `root`.

        Raises:
          ValueError: The text does not occur exactly once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: expected {self.old!r} once, got it {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTATIONS = (
    Mutation(
        "components/answers/answers.py",
        "np.argsort(-times_shown",
        "np.argsort(times_shown",
        "the least recommended candidates are listed as the most recommended",
        ("answers",),
    ),
    Mutation(
        "components/baseline/compatibility.py",
        "if longest > shorter",
        "if longest < shorter",
        "a baseline that reads longer histories is compared on cut ones",
        ("baseline/test_compatibility.py",),
    ),
    Mutation(
        "components/bulk/requests.py",
        "pair[1][0] < settings.as_of",
        "pair[1][0] <= settings.as_of",
        "a history of bulk has interactions of the request's own moment",
        ("bulk/test_answers.py",),
    ),
    Mutation(
        "components/data_gate/checks.py",
        "if share <= ",
        "if share < ",
        "a table of exactly the least allowed size passes",
        ("data_gate/test_checks.py",),
    ),
    Mutation(
        "components/evaluator/screening.py",
        "(scores < own)",
        "(scores <= own)",
        "ties count for the target, so that a constant model has rank 1",
        ("evaluator/test_ranks.py",),
    ),
    Mutation(
        "components/evaluator/rank_metrics.py",
        "np.arange(k) + 2.0",
        "np.arange(k) + 3.0",
        "the discount of NDCG is off by one rank",
        ("evaluator/test_rank_metrics.py",),
    ),
    Mutation(
        "components/evaluator/cold_start.py",
        "if rows < settings.min_rows",
        "if rows > settings.min_rows",
        "the gate on unseen candidates is applied to few rows and not to many",
        ("evaluator/test_cold_start.py",),
    ),
    Mutation(
        "components/indexer/recall.py",
        "np.setdiff1d(found[found != NO_ROW], self.excluded[row])",
        "found[found != NO_ROW]",
        "excluded candidates in an answer count as hits",
        ("indexer/test_recall.py",),
    ),
    Mutation(
        "components/indexer/retrieval.py",
        "keep & tf.math.is_finite(scores)",
        "keep",
        "candidates whose score is no number are answered",
        ("indexer/test_retrieval.py",),
    ),
    Mutation(
        "components/inline_schema/executor.py",
        "exec_properties[text_key(table)]",
        "next(iter(exec_properties.values()))",
        "every table gets the schema of the first",
        ("inline_schema",),
    ),
    Mutation(
        "components/pusher/executor.py",
        ", standard_component_specs.INFRA_BLESSING_KEY):",
        ",):",
        "a model that failed the serving check is pushed",
        ("pusher",),
    ),
    Mutation(
        "components/refit/executor.py",
        "measured.id,",
        "model.id,",
        "the refitted model is recorded as the source of its own metrics",
        ("refit",),
    ),
    Mutation(
        "components/refresh/refresh.py",
        '"new": size - known',
        '"new": size',
        "every candidate of a refreshed catalogue counts as new",
        ("refresh/test_refresh.py",),
    ),
    Mutation(
        "components/serving_check/probe.py",
        "find_violations(case, answers, frozenset(self._corpus))",
        "[]",
        "answers that break a rule are no problem",
        ("serving_check/test_check.py",),
    ),
    Mutation(
        "components/table_example_gen/encode.py",
        "[[row] for row, _ in rows]",
        "[[row] for row, _ in enumerate(rows)]",
        "row numbers begin anew in each batch",
        ("table_example_gen/test_encode.py",),
    ),
    Mutation(
        "components/trainer/noise.py",
        " * (_BYTE / (_BYTE - dropped))",
        "",
        "what dropout leaves is not scaled up",
        ("trainer/test_features.py",),
    ),
    Mutation(
        "components/trainer/towers/block.py",
        "tf.bool), -1, 0)",
        "tf.bool), -1, 1)",
        "each position of a history sees the next one",
        ("trainer/test_towers.py",),
    ),
    Mutation(
        "components/trainer/run_state.py",
        "max(self.log, key=lambda line: line[NDCG]",
        "max(self.log, key=lambda line: line['epoch']",
        "the latest evaluation counts as the best, and training never stops early",
        ("trainer/test_training.py", "trainer/test_trained.py"),
    ),
    Mutation(
        "components/transform/preprocessing.py",
        "tf.where(missing, tf.zeros_like(scaled), scaled)",
        "scaled",
        "a missing number is NaN to the model",
        ("transform/test_preprocessing.py",),
    ),
    Mutation(
        "components/tuner/search.py",
        "return self._seconds_before + ",
        "return ",
        "a resumed search begins its time box anew",
        ("tuner/test_search.py",),
    ),
    Mutation(
        "components/windows/windowing.py",
        "rows[max(0, past - max_history) : past]",
        "rows[max(0, past - max_history) : past + 1]",
        "a held-out target stands in its own history",
        ("windows/test_windowing.py",),
    ),
    Mutation(
        "components/windows/stats.py",
        "at_time[row.time] > 1",
        "at_time[row.time] > 0",
        "every test target counts as tied",
        ("windows/test_stats.py",),
    ),
)
