import collections

import numpy as np
import pytest
import tensorflow as tf

from components.trainer import dataset
from components.trainer.losses.in_batch import explode
from components.trainer.window_reader import WindowReader
from shortlist import keys
from tests.components.trainer import tiny_dataset as worlds

_CORPUS = {"kind": "corpus"}
_IN_BATCH = {"kind": "in_batch"}
_window = worlds.window


def _reader(world, trained, **settings):
    return WindowReader(worlds.settings(**settings), trained[2].ids, worlds.transform_output(world))


def _batches(trained, world, loss, first, last, seed=1, batch_size=8, **changed):
    settings = worlds.settings(train={"loss": loss | changed, "seed": seed, "batch_size": batch_size})
    return list(dataset.train_batches(trained[1], world.windows["train"], settings, first, last))


def _draw_function(reader, record):
    """Returns the train batch of a record as a function of its second seed, traced once because it is called often."""
    draw = tf.function(lambda number: reader.train_batch(tf.constant([record]), (1, number)))
    return lambda number: draw(tf.constant(number))


def _pairs(batch):
    """Returns the (query, target) pairs of a batch, in the batch's order."""
    queries = batch.features[keys.QUERY_ID].numpy()[:, 0]
    at = np.argwhere(batch.targets.numpy() >= 0)
    return [(int(queries[row]), int(batch.targets[row, column])) for row, column in at]


def _train_pairs(trained, world):
    """Returns the counts of the (query, target) pairs in the train windows."""
    batch = trained[1].train_batch(tf.constant(worlds.read(world.windows["train"])), worlds.SEED)
    return collections.Counter(_pairs(batch))


def test_a_history_has_the_latest_known_items_and_a_clock_with_the_query_s_time(trained):
    rows = tf.constant([[1, 2, -1, 3, 4, 5], [6, -1, -1, -1, -1, -1]])
    times = tf.constant([[11, 12, 13, 14, 15, 16], [17, 18, 0, 0, 0, 0]], tf.int64)
    history, clock, _ = trained[1].latest(rows, times, tf.constant([90, 91], tf.int64), {})
    # At most four items; an unknown one is left out.
    assert history.numpy().tolist() == [[2, 3, 4, 5], [6, -1, -1, -1]]
    assert clock.numpy().tolist() == [[12, 14, 15, 16, 90], [17, 91, 0, 0, 0]]


def test_an_eval_row(trained):
    records = [
        _window([1, 2, 3, 4, 5, 99], [11, 12, 13, 14, 15, 16], targets=[6], seen=[1, 2, 3, 4, 5, 99]),
        _window([7], [17], targets=[98], seen=[7], query_id=b"nobody"),
    ]
    batch = trained[1].eval_batch(tf.constant(records))
    assert batch.clock.numpy().tolist() == [[12, 13, 14, 15, 100], [17, 100, 0, 0, 0]]
    assert batch.history.numpy().tolist() == [[2, 3, 4, 5], [7, -1, -1, -1]]
    # A target that the catalogue lacks has no row.
    assert batch.target.numpy().tolist() == [6, -1]
    assert batch.seen.numpy().tolist() == [[1, 2, 3, 4, 5, -1], [7, -1, -1, -1, -1, -1]]
    known, unknown = batch.features[keys.QUERY_ID].numpy()[:, 0]
    assert known < unknown == worlds.NUM_QUERIES


def test_rows_without_history_or_seen_items(trained):
    batch = trained[1].eval_batch(tf.constant([_window(targets=[6])]))
    assert (batch.history.shape, batch.seen.shape, batch.target.numpy().tolist()) == ([1, 0], [1, 0], [6])


@pytest.mark.parametrize(
    ("split", "positions"),
    [
        # Each target attends to all items before it.
        ("leave_last_out", [[3, 4, 5, 6], [0, 1]]),
        # Target 4 at 101 sees 1 and 2, not 3 at 101; 5 at 102 sees 1, 2, 3, 4; 6 and 7 at 103 see 1, 2, 3, 4, 5.
        ("leave_last_basket", [[2, 4, 5, 5], [0, 0]]),
    ],
)
def test_items_that_a_target_attends_to(world, trained, split, positions):
    records = [
        _window([1, 99, 2, 3], [100, 100, 100, 101], [4, 5, 6, 7], [101, 102, 103, 103]),
        _window(targets=[8, 9], target_times=[50, 50]),
    ]
    batch = _reader(world, trained, split=split).train_batch(tf.constant(records), worlds.SEED)
    # The clock time of a position is the time of the next item, which is the target predicted at that position.
    assert batch.clock.numpy().tolist() == [[100, 100, 101, 101, 102, 103, 103], [50, 50, 0, 0, 0, 0, 0]]
    # The last target is no history of another one.
    assert batch.items.numpy().tolist() == [[1, 2, 3, 4, 5, 6], [8, 9, -1, -1, -1, -1]]
    assert batch.targets.numpy().tolist() == [[4, 5, 6, 7], [8, 9, -1, -1]]
    assert batch.weights.numpy().tolist() == [[1, 2, 3, 4], [1, 2, 0, 0]]
    assert batch.positions.numpy()[0].tolist() == positions[0]
    assert batch.positions.numpy()[1, :2].tolist() == positions[1]


def test_an_unknown_target_is_left_out_with_its_time_and_weight(world, trained):
    record = _window([1], [100], [2, 99, 3], [101, 102, 103])
    for split in ("leave_last_out", "leave_last_basket"):
        batch = _reader(world, trained, split=split).train_batch(tf.constant([record]), worlds.SEED)
        assert batch.targets.numpy().tolist() == [[2, 3]]
        assert batch.weights.numpy().tolist() == [[1, 3]]
        assert batch.positions.numpy().tolist() == [[1, 2]]


def test_a_row_of_weight_0_is_history_and_no_target(world, trained):
    record = tf.train.Example.FromString(_window([1], [100], [2, 3, 4], [101, 102, 103]))
    record.features.feature[keys.TARGET_WEIGHTS].float_list.value[1] = 0.0
    for split in ("leave_last_out", "leave_last_basket"):
        batch = _reader(world, trained, split=split).train_batch(tf.constant([record.SerializeToString()]), worlds.SEED)
        assert batch.items.numpy().tolist() == [[1, 2, 3]]
        assert batch.targets.numpy().tolist() == [[2, -1, 4]]
        assert batch.positions.numpy()[0, [0, 2]].tolist() == [1, 3]
        assert [target for _, target in _pairs(explode(batch, 3))] == [2, 4]


def test_a_basket_is_no_history_of_its_own_items(world):
    model, reader, _ = worlds.assemble(world, worlds.settings(split="leave_last_basket"))

    def basket(third):
        record = _window([1, 2], [100, 100], [4, third, 7], [101, 103, 103])
        batch = reader.train_batch(tf.constant([record]), worlds.SEED)
        items = tf.gather(model.embed_candidates(), batch.items)
        return model.query_tower(
            batch.features, items, tf.zeros([3], tf.int32), batch.positions[0], batch.times[0], batch.clock
        ).numpy()[1:]

    first, second = basket(6)
    np.testing.assert_allclose(first, second, atol=1e-6)
    np.testing.assert_allclose(basket(9), basket(6), atol=1e-6)


def test_basket_mates_are_history_in_a_random_order_and_later_items_are_not(world, trained):
    record = _window([1, 2], [100, 100], [3, 4, 5, 6], [101, 102, 102, 103])
    settings = worlds.settings(split="leave_last_basket", train={"basket_mates": 0.5})
    reader = worlds.assemble(world, settings)[1]
    seen, with_mates = collections.defaultdict(set), 0
    draw = _draw_function(reader, record)
    for number in range(60):
        batch = draw(number)
        items, targets, positions = batch.items.numpy()[0], batch.targets.numpy()[0], batch.positions.numpy()[0]
        assert sorted(items[:2]) == [1, 2]
        assert set(targets[1:3]) == {4, 5}
        # Three items are older than the basket. Its second row attends to its first row as well, or to no row of it.
        assert positions[2] in (3, 4)
        with_mates += positions[2] == 4
        for target, weight, position in zip(targets, batch.weights.numpy()[0], positions, strict=True):
            # Each target keeps its weight.
            assert weight == target - 2
            seen[int(target)].add(tuple(sorted(items[:position])))
    assert 18 <= with_mates <= 42
    assert seen[3] == {(1, 2)}
    assert seen[4] == {(1, 2, 3), (1, 2, 3, 5)}
    assert seen[5] == {(1, 2, 3), (1, 2, 3, 4)}
    assert seen[6] == {(1, 2, 3, 4, 5)}


def test_only_rows_of_equal_time_are_shuffled(world, trained):
    record = _window([1, 2, 3], [100, 101, 101], [4, 5, 6, 7], [102, 103, 103, 103])
    reader = _reader(world, trained, train={"shuffle_ties": True})
    orders = collections.Counter()
    draw = _draw_function(reader, record)
    for number in range(120):
        batch = draw(number)
        targets = batch.targets.numpy()[0].tolist()
        # Each target keeps its weight, and the items are shuffled like the targets.
        assert batch.weights.numpy()[0].tolist() == [target - 3 for target in targets]
        assert batch.items.numpy()[0].tolist() == [*batch.items.numpy()[0, :3], *targets[:-1]]
        assert batch.positions.numpy().tolist() == [[3, 4, 5, 6]]
        assert batch.clock.numpy().tolist() == [[100, 101, 101, 102, 103, 103, 103]]
        orders[tuple(batch.items.numpy()[0, :3]), tuple(targets)] += 1
    assert {history for history, _ in orders} == {(1, 2, 3), (1, 3, 2)}
    # Two orders of the history times six orders of three targets: ten draws of each on average.
    assert len(orders) == 12
    assert {targets[0] for _, targets in orders} == {4}
    # The order depends on the seed alone.
    again = reader.train_batch(tf.constant([record]), (1, 119))
    np.testing.assert_array_equal(again.targets, batch.targets)


def test_ties_keep_the_file_s_order_by_default_and_always_in_eval_rows(world, trained):
    record = _window([1, 2], [100, 100], [3, 4, 5], [101, 101, 101])
    for number in range(10):
        assert trained[1].train_batch(tf.constant([record]), (1, number)).targets.numpy().tolist() == [[3, 4, 5]]
    row = _window([1, 2, 3, 4], [100] * 4, [5], [100])
    reader = _reader(world, trained, train={"shuffle_ties": True})
    assert reader.eval_batch(tf.constant([row])).history.numpy().tolist() == [[1, 2, 3, 4]]


def test_no_window_or_every_window_has_basket_mates(world):
    record = _window([1], [100], [2, 3], [101, 101])
    for share, wanted in ((0.0, [1, 1]), (1.0, [1, 2])):
        settings = worlds.settings(split="leave_last_basket", train={"basket_mates": share})
        reader = worlds.assemble(world, settings)[1]
        assert reader.train_batch(tf.constant([record]), worlds.SEED).positions.numpy().tolist() == [wanted]


def test_times_run_from_the_first_train_target_to_the_last(world, trained):
    # The train targets' times are 100, 101 and 102; the eval and test rows at 103 do not count.
    record = _window([1], [100], [2, 3, 4, 5, 6], [50, 100, 101, 102, 900])
    batch = trained[1].train_batch(tf.constant([record]), worlds.SEED)
    assert batch.times.numpy().tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]
    rows = [_window([1], [100], [2], [101]), _window(targets=[3], target_times=[103])]
    assert trained[1].eval_batch(tf.constant(rows)).times.numpy().tolist() == [0.5, 1.0]


def test_each_train_target_comes_once_an_epoch(trained, world):
    expected = _train_pairs(trained, world)
    assert sum(expected.values()) == worlds.NUM_QUERIES * 6
    batches = _batches(trained, world, _CORPUS, 1, 2)
    per_epoch = dataset.count_train_batches(world.windows["train"], worlds.settings(), 180)
    assert len(batches) == 2 * per_epoch
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        assert collections.Counter(pair for batch in epoch for pair in _pairs(batch)) == expected
    # A batch may have several targets of a query; none is left out.
    in_batch = _batches(trained, world, _IN_BATCH, 1, 1, batch_size=32)
    settings = worlds.settings(train={"loss": _IN_BATCH, "batch_size": 32})
    # 180 targets are five batches of 32 and one of 20.
    assert len(in_batch) == dataset.count_train_batches(world.windows["train"], settings, 180) == 6
    assert collections.Counter(pair for batch in in_batch for pair in _pairs(batch)) == expected
    queries = [query for query, _ in _pairs(in_batch[0])]
    assert len(set(queries)) < len(queries) == 32


@pytest.mark.parametrize("loss", [_CORPUS, _IN_BATCH])
def test_seed_and_epoch_decide_the_order(trained, world, loss):
    both = [_pairs(batch) for batch in _batches(trained, world, loss, 1, 2)]
    first, second = both[: len(both) // 2], both[len(both) // 2 :]
    assert first != second
    # A resumed run starts with the second epoch; its order does not depend on the global seed.
    tf.random.set_seed(1)
    assert [_pairs(batch) for batch in _batches(trained, world, loss, 2, 2)] == second
    assert [_pairs(batch) for batch in _batches(trained, world, loss, 1, 1, seed=2)] not in (first, second)


def test_eval_batches_keep_the_order_of_the_files(trained, world):
    batches = list(dataset.eval_batches(trained[1], world.windows["eval"], batch_size=7))
    assert [len(batch.target) for batch in batches] == [7, 7, 7, 7, 2]
    whole = trained[1].eval_batch(tf.constant(worlds.read(world.windows["eval"])))
    np.testing.assert_array_equal(tf.concat([batch.target for batch in batches], axis=0), whole.target)
