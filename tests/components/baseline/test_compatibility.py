import pytest

from components.baseline.compatibility import features_note, incomparable_reason, same_catalogue

MODEL = {
    "contract_version": 1,
    "split_fingerprint": "5" * 64,
    "catalogue_sha256": "c" * 64,
    "features_sha256": "f" * 64,
    "embedding_dim": 64,
    "max_history": 10,
}


def test_equal_models_compare_whatever_else_differs():
    assert incomparable_reason(MODEL, {**MODEL, "embedding_dim": 32}) is None


@pytest.mark.parametrize(
    ("key", "message"),
    [("split_fingerprint", "split differs"), ("features_sha256", "features differ")],
)
def test_a_difference_is_named(key, message):
    baseline = {**MODEL, key: "0" * 64}
    assert incomparable_reason(MODEL, baseline) == f"its {message}: 000000000000, not {MODEL[key][:12]}"


def test_a_model_that_may_know_todays_test_rows_is_not_compared():
    today = {**MODEL, "test_from": 100}
    # Yesterday's model trained on rows before its own eval and test rows; today's test rows lie later.
    assert incomparable_reason(today, {**MODEL, "test_from": 99}) is None
    assert incomparable_reason(today, {**MODEL, "test_from": 100}) is None
    assert incomparable_reason(today, {**MODEL, "test_from": 101}) == (
        "it may have been trained on today's test rows: its own test rows begin later, because the log was longer then"
    )
    # Models of older versions did not record it, nor do those of other splits.
    assert incomparable_reason(today, MODEL) is None
    assert incomparable_reason({**MODEL, "test_from": None}, {**MODEL, "test_from": None}) is None


def described(sha, queries=(), candidates=(), history=(), read=None, context=()):
    def features(names):
        return {name: dict(zip(("type", "max_vocabulary"), kind, strict=True)) for name, kind in dict(names).items()}

    tower = {"kind": "history", "history_features": list(dict(history)) if read is None else read}
    log = {"history": features(history), "context": features(context)}
    data = {"query_features": features(queries), "candidate_features": features(candidates)}
    config = {"model": {"query_tower": tower}, "data": {**data, "interaction_features": log}}
    return {**MODEL, "features_sha256": sha * 64, "config": config}


AGE, GENRES = {"age": ("numeric", 10)}, {"genres": ("category", 10)}
HOUR = {"hour": ("category", 10)}


@pytest.mark.parametrize(
    ("earlier", "today", "missing", "ignored"),
    [
        ({"queries": AGE}, {"queries": {**AGE, **HOUR}}, None, "hour of queries"),
        ({}, {"queries": AGE, "candidates": GENRES}, None, "age of queries, genres of candidates"),
        ({}, {"history": HOUR, "context": HOUR}, None, "hour of histories, hour of requests"),
        ({"queries": {**AGE, **HOUR}}, {"queries": AGE}, "hour of queries", ""),
        ({"candidates": GENRES}, {}, "genres of candidates", ""),
        ({"history": HOUR}, {}, "hour of histories", ""),
        ({"context": HOUR}, {"history": HOUR}, "hour of requests", "hour of histories"),
        ({"queries": {"age": ("category", 10)}}, {"queries": AGE}, "age of queries", ""),
        # Another size of the vocabulary changes the model, not the values that it reads.
        ({"queries": {"age": ("numeric", 99)}}, {"queries": AGE}, None, ""),
        # The log has the feature, and the model does not read it.
        ({"history": HOUR, "read": []}, {"queries": AGE}, None, "age of queries"),
    ],
)
def test_an_earlier_model_is_compared_on_its_own_features(earlier, today, missing, ignored):
    before, now = described("0", **earlier), described("1", **today)
    expected = missing and (f"its features differ: it reads {missing}, which today's rows do not have as it knows them")
    assert incomparable_reason(now, before) == expected
    assert features_note(now, before) == (f"it does not read {ignored}" if ignored else "")
    assert incomparable_reason(before, before) is None
    assert features_note(before, before) == ""


def test_all_differences_are_named():
    baseline = {**MODEL, "contract_version": 2, "features_sha256": "0" * 64}
    expected = "its contract version differs: 2, not 1; its features differ: 000000000000, not ffffffffffff"
    assert incomparable_reason(MODEL, baseline) == expected


def test_a_model_that_does_not_describe_itself_is_not_compared():
    assert "its contract version differs: unknown, not 1" in incomparable_reason(MODEL, {})


def test_a_model_that_reads_more_than_the_rows_hold_is_not_compared():
    message = incomparable_reason(MODEL, {**MODEL, "max_history": 100})
    assert message == (
        "it reads the latest 100 items of a history, but today's test rows hold 10 (data.windows.max_history)"
    )
    assert incomparable_reason(MODEL, {**MODEL, "max_history": 5}) is None


def test_another_catalogue_does_not_forbid_a_comparison():
    other = {**MODEL, "catalogue_sha256": "0" * 64}
    assert incomparable_reason(MODEL, other) is None
    assert not same_catalogue(MODEL, other)
    assert same_catalogue(MODEL, MODEL)
