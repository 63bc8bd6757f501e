"""Inference of a first config and schemas for new data, with reasons."""

from shortlist.infer.guess import Guess, guess_config
from shortlist.infer.hints import Hints
from shortlist.infer.located import locate
from shortlist.infer.text_format import TextOptions
from shortlist.infer.write import Written, write_guess

__all__ = ["Guess", "Hints", "TextOptions", "Written", "guess_config", "locate", "write_guess"]
