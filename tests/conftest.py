"""What all tests share: the environment that TensorFlow needs, and hypothesis without a clock."""

import hypothesis

import shortlist  # noqa: F401  sets the environment before any test imports TensorFlow

# A first example may pay for an import of 25 s, and CI's cores are shared.
hypothesis.settings.register_profile("shortlist", deadline=None, derandomize=True)
hypothesis.settings.load_profile("shortlist")
