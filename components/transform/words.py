"""Words of a text column, for the vocabulary of a feature of type `text`.

TensorFlow has no Unicode normalization without tensorflow_text, which ScaNN's TensorFlow is not locked with. The
decompositions are therefore constants of the graph, so that the served model splits text as training did, whatever
Python serves it.
"""

from __future__ import annotations

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf

# Characters that are displayed as nothing: joiners, soft hyphens, marks of direction, variation selectors. They stand
# within words (Persian, Hindi). U+200B is none of them, because it separates words (Thai, Khmer).
_INVISIBLE = (
    r"[\x{AD}\x{34F}\x{61C}\x{180B}-\x{180E}\x{200C}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}"
    r"\x{FE00}-\x{FE0F}\x{FEFF}\x{E0100}-\x{E01EF}]+"
)
# The lower case of the Turkish capital I with a dot is i with a second dot.
_DOTTED_I = "i\N{COMBINING DOT ABOVE}"
# Marks belong to the letter or digit before them. Without one, such as after an emoji, they are no word.
_NO_WORD = r"^\pM+|[^\pL\pM\pN][^\pL\pN]*"


def words(text: tf.Tensor) -> tf.SparseTensor:
    """Returns [batch, n] words of a [batch] column of UTF-8 strings.

    A word is a sequence of letters, digits and the marks on them: vowel signs (Hindi, Thai), points (Hebrew, Arabic)
    and accents. Words are lower-case and in Unicode's form NFKD, so that composed and decomposed accents, full-width
    and ordinary letters are equal. Scripts without spaces are not segmented.
    """
    visible = tf.strings.regex_replace(_decomposed(text), _INVISIBLE, "")
    lowered = tf.strings.regex_replace(tf.strings.lower(visible, encoding="utf-8"), _DOTTED_I, "i")
    spaced = tf.strings.strip(tf.strings.regex_replace(lowered, _NO_WORD, " "))
    split = tf.strings.split(spaced, " ").to_sparse()
    # tf.strings.split returns one empty word for an empty string.
    return tf.sparse.retain(split, tf.not_equal(split.values, ""))


def _decomposed(text: tf.Tensor) -> tf.Tensor:
    """Returns [batch] strings in the form NFKD; bytes that are not UTF-8 become U+FFFD."""
    characters = tf.strings.unicode_decode(text, "UTF-8")
    composed, starts, parts = _decompositions()
    flat = characters.flat_values
    last = len(composed) - 1
    index = tf.minimum(tf.searchsorted(tf.constant(composed), flat), last)
    is_composed = tf.equal(tf.gather(composed, index), flat)
    # A character without a decomposition is its own only part: it is looked up behind the constant parts.
    own = len(parts) + tf.range(tf.size(flat))
    first = tf.where(is_composed, tf.gather(starts, index), own)
    length = tf.where(is_composed, tf.gather(starts, index + 1) - first, 1)
    places = tf.ragged.range(first, first + length, row_splits_dtype=tf.int64)
    decomposed = tf.gather(tf.concat([parts, flat], axis=0), places.flat_values)
    row_splits = tf.gather(places.row_splits, characters.row_splits)
    return tf.strings.unicode_encode(_canonical_order(tf.RaggedTensor.from_row_splits(decomposed, row_splits)), "UTF-8")


def _canonical_order(characters: tf.RaggedTensor) -> tf.RaggedTensor:
    """Sorts the marks on each letter by their combining class; marks of one class keep their order."""
    marks, classes = _combining_classes()
    flat = characters.flat_values
    index = tf.minimum(tf.searchsorted(tf.constant(marks), flat), len(marks) - 1)
    combining = tf.where(tf.equal(tf.gather(marks, index), flat), tf.gather(classes, index), 0)
    # Class 0 begins a letter. So does each row, whose first character may be a mark.
    letter = tf.cumsum(tf.cast(tf.equal(combining, 0), tf.int64)) + characters.value_rowids()
    order = tf.argsort(letter * 256 + tf.cast(combining, tf.int64), stable=True)
    return characters.with_flat_values(tf.gather(flat, order))


@functools.cache
def _decompositions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the characters that NFKD replaces, sorted, and their replacements.

    Returns:
      composed: int32 [n] code points.
      starts: int32 [n + 1], where the replacement of each begins in `parts`.
      parts: int32 [m] code points.
    """
    replaced = {
        code_point: list(map(ord, parts))
        for code_point in range(0x80, sys.maxunicode + 1)
        if (parts := unicodedata.normalize("NFKD", chr(code_point))) != chr(code_point)
    }
    lengths = [len(parts) for parts in replaced.values()]
    return (
        np.array(list(replaced), np.int32),
        np.cumsum([0, *lengths]).astype(np.int32),
        np.array([part for parts in replaced.values() for part in parts], np.int32),
    )


@functools.cache
def _combining_classes() -> tuple[np.ndarray, np.ndarray]:
    """Returns int32 [n] code points with a combining class above 0, sorted, and their int32 [n] classes."""
    classes = {
        code_point: combining
        for code_point in range(0x300, sys.maxunicode + 1)
        if (combining := unicodedata.combining(chr(code_point)))
    }
    return np.array(list(classes), np.int32), np.array(list(classes.values()), np.int32)
