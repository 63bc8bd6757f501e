import pytest

from components.baseline.compatibility import why_incomparable

MODEL = {
    "contract_version": 1,
    "split_fingerprint": "5" * 64,
    "catalogue_sha256": "c" * 64,
    "features_sha256": "f" * 64,
    "embedding_dim": 64,
}


def test_equal_models_compare_whatever_else_differs():
    assert why_incomparable(MODEL, {**MODEL, "embedding_dim": 32}) is None


@pytest.mark.parametrize(
    ("key", "called"),
    [("split_fingerprint", "split"), ("catalogue_sha256", "catalogue"), ("features_sha256", "features")],
)
def test_a_difference_is_named(key, called):
    baseline = {**MODEL, key: "0" * 64}
    assert why_incomparable(MODEL, baseline) == f"its {called} differs: 000000000000, not {MODEL[key][:12]}"


def test_all_differences_are_named():
    baseline = {**MODEL, "contract_version": 2, "catalogue_sha256": "0" * 64}
    expected = "its contract version differs: 2, not 1; its catalogue differs: 000000000000, not cccccccccccc"
    assert why_incomparable(MODEL, baseline) == expected


def test_a_model_that_does_not_describe_itself_is_not_compared():
    assert "its contract version differs: unknown, not 1" in why_incomparable(MODEL, {})
