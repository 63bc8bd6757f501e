"""Words of text: a table of words in many scripts, and any text compared with Python's own normalization."""

import re
import tempfile
import unicodedata

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_transform import beam as tft_beam

from components.transform import preprocessing, words

# Text, and its words in the form NFC.
_TABLE = {
    "Hindi": ("हिन्दी किताबें, मूल्य: ५०", ["हिन्दी", "किताबें", "मूल्य", "५०"]),
    "Hindi with a joiner": ("क्\u200dष क़लम", ["क्ष", "क\u093cलम"]),
    "Bengali": ("বাংলা-বই", ["বাংলা", "বই"]),
    "Tamil": ("தமிழ் நூல்கள்", ["தமிழ்", "நூல்கள்"]),
    "Thai": ("น้ำ\u200bดื่ม", ["น\u0e49\u0e4d\u0e32", "ดื่ม"]),
    "Hebrew with points": ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
    "Arabic with vowels": ("مَرْحَبًا، بِالعَالَم", ["مَرْحَبًا", "بِالعَالَم"]),
    "Persian with a non-joiner": ("می\u200cخواهم", ["میخواهم"]),  # noqa: RUF001
    "French, decomposed": ("Cafe\u0301 d'E\u0301te\u0301", ["café", "d", "été"]),
    "Vietnamese, decomposed": ("Tie\u0302\u0301ng Vie\u0302\u0323t", ["tiếng", "việt"]),
    "Turkish": ("İSTANBUL İzmir", ["istanbul", "izmir"]),
    "German": ("Straße ﬁn", ["straße", "fin"]),
    "Greek": ("ΣΊΣΥΦΟΣ", ["σίσυφος"]),
    "Russian": ("Ёлка й", ["ёлка", "й"]),
    "Korean": ("한국어 책", ["한국어", "책"]),
    "Japanese, full width": ("ＡＢＣ　ガイド ｶﾞｲﾄﾞ", ["abc", "ガイド", "ガイド"]),  # noqa: RUF001
    "Burmese": ("မြန်မာ စာ", ["မြန်မာ", "စာ"]),
    "emoji": ("I ❤\ufe0f NY 👩\u200d💻 \ufe0fx", ["i", "ny", "x"]),
    "marks alone": ("\u0301 \u0301a", ["a"]),
    "bytes that are not UTF-8": (b"ab\xffcd", ["ab", "cd"]),
    "blank": ("  ", []),
}


def _nfkc(text):
    return unicodedata.normalize("NFKC", text)


def _words(*texts):
    rows = words.words(tf.constant([text if isinstance(text, bytes) else text.encode() for text in texts]))
    lists = tf.RaggedTensor.from_sparse(rows).to_list()
    return [[word.decode() for word in row] for row in lists]


@pytest.mark.parametrize(("text", "expected"), _TABLE.values(), ids=_TABLE)
def test_marks_belong_to_their_word(text, expected):
    assert _words(text) == [[_nfkc(word) for word in expected]]


@pytest.mark.parametrize(("text", "expected"), _TABLE.values(), ids=_TABLE)
def test_the_form_of_the_text_does_not_matter(text, expected):
    if isinstance(text, str):
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        assert _words(*forms) == [[_nfkc(word) for word in expected]] * 4


def _expected(text):
    """The same rules in plain Python, except for the lower case, which is ICU's in TensorFlow."""
    visible = re.sub(
        "[\u00ad\u034f\u061c\u180b-\u180e\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"
        "\U000e0100-\U000e01ef]",
        "",
        _nfkc(text),
    )
    found, word = [], ""
    for character in [*visible, " "]:
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and word):
            word += character
        elif word:
            found.append(word)
            word = ""
    return found


# Characters without case, which Python 3.10 (Unicode 13) and TensorFlow's RE2 know.
_CHARACTERS = st.one_of(
    st.sampled_from("abz09 -,.\u0301\u0323\u0307\u05b8\u05c1\u0651\u064e\u093f\u094d\u0e34\u200d\u200b\ufe0f❤é한가ệữﬁ"),
    st.characters(whitelist_categories=("Lo", "Mn", "Mc", "Nd", "Po", "Zs"), max_codepoint=0x30FF),
)


@settings(max_examples=100)
@given(st.lists(st.text(_CHARACTERS, max_size=20), min_size=1, max_size=4))
def test_any_text_is_split_as_python_would(texts):
    # Marks that are no neighbours of their letter stay decomposed, hence the normalization of the result.
    assert [list(map(_nfkc, row)) for row in _words(*texts)] == [_expected(text) for text in texts]
    decomposed = [unicodedata.normalize("NFKD", text) for text in texts]
    assert _words(*texts) == _words(*decomposed)


def test_the_served_graph_has_the_words_of_training():
    texts = [text if isinstance(text, bytes) else text.encode() for text, _ in _TABLE.values()]
    spec = {name: tf.io.VarLenFeature(tf.string) for name in ("candidate_id", "title")}
    rows = [{"candidate_id": [str(index).encode()], "title": [text]} for index, text in enumerate(texts)]
    with tft_beam.Context(temp_dir=tempfile.mkdtemp()):
        transform_fn = (rows, tft.DatasetMetadata.from_feature_spec(spec)) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing.candidates_preprocessing_fn(inputs, {"features": {"title": {"type": "text"}}})
        )
        path = tempfile.mkdtemp()
        _ = transform_fn | tft_beam.WriteTransformFn(path)
    output = tft.TFTransformOutput(path)
    vocabulary = [word.decode() for word in output.vocabulary_by_name("title")]
    assert set(vocabulary) == {_nfkc(word) for _, expected in _TABLE.values() for word in expected}

    # As a client may send them: decomposed by a Mac, or composed by anything else.
    layer = output.transform_features_layer()
    for form in ("NFC", "NFD"):
        sent = [text if isinstance(text, bytes) else unicodedata.normalize(form, text).encode() for text in texts]
        titles = tf.sparse.from_dense([[text] for text in sent])
        ids = tf.RaggedTensor.from_sparse(layer({"title": titles})["title"]).to_list()
        served = [[vocabulary[number] for number in row] for row in ids]
        assert served == [[_nfkc(word) for word in expected] for _, expected in _TABLE.values()]
    unknown = layer({"title": tf.sparse.from_dense([["किताबघर"]])})["title"]
    assert unknown.values.numpy().tolist() == [len(vocabulary)]
