"""Words of a text column, for the vocabulary of a feature of type `text`.

TensorFlow has no Unicode normalization without tensorflow_text, which is not among the locked packages. The tables of
Unicode are therefore constants of the graph: the served model splits text as training did, whatever serves it.
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
# More than any code point.
_BASE = 2**21
# No character has a longer decomposition than a letter with three marks (U+1F82).
_MOST_MARKS = 3
# Marks belong to the letter or digit before them. Without one, such as after an emoji, they are no word.
_NO_WORD = r"^\pM+|[^\pL\pM\pN][^\pL\pN]*"


def words(text: tf.Tensor) -> tf.SparseTensor:
    """Returns [batch, n] words of a [batch] column of UTF-8 strings.

    A word is a sequence of letters, digits and the marks on them: vowel signs (Hindi, Thai), points (Hebrew, Arabic)
    and accents. Words are lower-case and in Unicode's form NFKC, so that composed and decomposed accents, full-width
    and ordinary letters are equal. Scripts without spaces are not segmented.
    """
    # Most rows of most catalogues are ASCII, for which this takes a tenth of the time.
    others = tf.where(~tf.strings.regex_full_match(text, r"[\x00-\x7F]*"))
    lowered = tf.tensor_scatter_nd_update(tf.strings.lower(text), others, _normalized(tf.gather_nd(text, others)))
    spaced = tf.strings.strip(tf.strings.regex_replace(lowered, _NO_WORD, " "))
    split = tf.strings.split(spaced, " ").to_sparse()
    # tf.strings.split returns one empty word for an empty string.
    return tf.sparse.retain(split, tf.not_equal(split.values, ""))


def _normalized(text: tf.Tensor) -> tf.Tensor:
    """Returns [batch] strings, lower-case and in the form NFKC, without characters that are displayed as nothing."""
    visible = tf.strings.regex_replace(_decomposed(text), _INVISIBLE, "")
    lowered = tf.strings.regex_replace(tf.strings.lower(visible, encoding="utf-8"), _DOTTED_I, "i")
    return _composed(lowered)


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


def _composed(text: tf.Tensor) -> tf.Tensor:
    """Returns [batch] strings of the form NFKD in the form NFKC.

    Only neighbours are composed: a mark stays by itself behind another one with which its letter has no composition.
    This is rare, and the result is the same for all forms of a text.
    """
    characters = tf.strings.unicode_decode(text, "UTF-8")
    pairs, composites = _compositions()
    for _ in range(_MOST_MARKS):
        flat = characters.flat_values
        rows = characters.value_rowids()
        pair = tf.cast(flat[:-1], tf.int64) * _BASE + tf.cast(flat[1:], tf.int64)
        index = tf.minimum(tf.searchsorted(tf.constant(pairs), pair), len(pairs) - 1)
        is_pair = tf.equal(tf.gather(pairs, index), pair) & tf.equal(rows[:-1], rows[1:])
        # A character that is composed with the one before it is not composed with the one behind it.
        is_pair &= ~_shifted(is_pair)[: tf.size(is_pair)]
        # The last character has none behind it. Without any character, there is no last one.
        ends = tf.zeros([tf.minimum(tf.size(flat), 1)], tf.bool)
        first = tf.concat([is_pair, ends], axis=0)
        composite = tf.concat([tf.gather(composites, index), flat[-1:]], axis=0)
        second = _shifted(is_pair)[: tf.size(flat)]
        characters = tf.ragged.boolean_mask(
            characters.with_flat_values(tf.where(first, composite, flat)), characters.with_flat_values(~second)
        )
    return tf.strings.unicode_encode(characters, "UTF-8")


def _shifted(flags: tf.Tensor) -> tf.Tensor:
    """Returns [n + 1] flags, each moved to the next place."""
    return tf.pad(flags, [[1, 0]])


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
def _compositions() -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of characters that NFC composes, int64 [n], sorted, and their compositions, int32 [n].

    A pair is one number: the first code point times 2^21, plus the second.
    """
    composed: dict[int, int] = {}
    for code_point in range(0x80, sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code_point)).split()
        # NFC leaves some out, such as those of Hebrew letters with points. A tag marks what is equal in NFKC alone.
        if (
            len(parts) == 2
            and not parts[0].startswith("<")
            and unicodedata.normalize("NFC", chr(code_point)) == chr(code_point)
        ):
            first, second = (int(part, 16) for part in parts)
            composed[first * _BASE + second] = code_point
    # A syllable of Hangul has one of 19 leads, one of 21 vowels and one of 27 tails or none (Unicode Standard, 3.12).
    for syllable in range(0xAC00, 0xAC00 + 19 * 21 * 28):
        lead_vowel, tail = divmod(syllable - 0xAC00, 28)
        if tail:
            composed[(0xAC00 + lead_vowel * 28) * _BASE + 0x11A7 + tail] = syllable
        else:
            lead, vowel = divmod(lead_vowel, 21)
            composed[(0x1100 + lead) * _BASE + 0x1161 + vowel] = syllable
    pairs = sorted(composed)
    return np.array(pairs, np.int64), np.array([composed[pair] for pair in pairs], np.int32)


@functools.cache
def _combining_classes() -> tuple[np.ndarray, np.ndarray]:
    """Returns int32 [n] code points with a combining class above 0, sorted, and their int32 [n] classes."""
    classes = {
        code_point: combining
        for code_point in range(0x300, sys.maxunicode + 1)
        if (combining := unicodedata.combining(chr(code_point)))
    }
    return np.array(list(classes), np.int32), np.array(list(classes.values()), np.int32)
