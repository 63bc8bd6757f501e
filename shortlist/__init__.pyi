from shortlist.api.load import load as load
from shortlist.api.load import load_runs as load_runs
from shortlist.api.model import Model as Model
from shortlist.api.recommendations import Recommendations as Recommendations

__version__: str
__all__ = ["Model", "Recommendations", "__version__", "load", "load_runs"]
