import pytest

from components.baseline.compatibility import incomparable_reason, same_catalogue

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
