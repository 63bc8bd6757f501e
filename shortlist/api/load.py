"""Loading of models and runs by the path of a workspace, a serving folder or one version."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import warnings

from shortlist import datasets
from shortlist.api.log import ModelLog
from shortlist.api.model import Model
from shortlist.config.config import Config
from shortlist.config.load import load_config
from shortlist.errors import BadInputError, ConfigError
from shortlist.runs import record
from shortlist.runs.record import Record
from shortlist.serving import client, served_model
from shortlist.workspace import Workspace, layout

Path = str | os.PathLike[str]


def load(path: Path, *, data_dir: Path | None = None) -> Model:
    """Returns the pushed model at a path, loaded once for many requests.

    It imports TensorFlow, which takes seconds.

    Args:
      path: A workspace or a serving folder, whose newest version is loaded, or the folder of one version.
      data_dir: Folder that the config's relative paths start from; SHORTLIST_DATA_DIR by default, else `data`. It is
        used only for `Model.recommend(query=...)`, and by a version of 0.1 for titles.

    Raises:
      BadInputError: The path has no pushed model, or a damaged one.

    Examples:
      >>> import shortlist
      >>> model = shortlist.load("workspaces/movielens-100k")
      >>> model.recommend(history=["50", "172"], k=1)[0].rank
      1
    """
    folder = pathlib.Path(path).absolute()
    if not folder.exists():
        raise BadInputError.from_parts(path, "a workspace, a serving folder or one of its versions", "nothing there")
    workspace = _workspace(folder)
    serving = folder
    if workspace is not None and folder == workspace.root:
        serving = workspace.serving_dir
    version = served_model.version_path(serving)
    with warnings.catch_warnings():
        # Some packages of the pinned stack warn of their own end of support, in every process.
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
        recommender = client.Recommender(version)
    config = _config(workspace)
    if config is None:
        return Model(recommender)
    root = datasets.default_data_dir() if data_dir is None else pathlib.Path(data_dir)
    return Model(recommender, ModelLog(config.data, root))


def load_runs(path: Path) -> list[Record]:
    """Returns the runs of a workspace, the latest first.

    Args:
      path: The workspace.

    Raises:
      BadInputError: It is no workspace, or has no run.

    Examples:
      >>> import shortlist
      >>> runs = shortlist.load_runs("workspaces/movielens-100k")
      >>> pushed = [run for run in runs if run.status == "pushed"]
      >>> 0 < pushed[0].metrics["factorized_top_k/top_10_categorical_accuracy"] < 1
      True
    """
    folder = pathlib.Path(path).absolute()
    workspace = _workspace(folder)
    if workspace is None or folder != workspace.root:
        raise BadInputError.from_parts(path, "the workspace of a pipeline", "another folder, or none")
    config = _config(workspace)
    # Runs that died are known to ML Metadata alone, which may be on a server.
    return record.records(workspace if config is None else dataclasses.replace(Workspace.of(config), root=folder))


def _workspace(folder: pathlib.Path) -> Workspace | None:
    """Returns the workspace that a path is, or lies in as a serving folder or a version; None if there is none."""
    for root in (folder, *folder.parents[1:3]):
        try:
            name = layout.owner_of(root)
        except ConfigError:
            continue
        if name is not None:
            return Workspace(root, name)
    return None


def _config(workspace: Workspace | None) -> Config | None:
    """Returns the config of the latest run; None if there is none, or one of another version of Shortlist."""
    if workspace is None:
        return None
    try:
        return load_config(workspace.runs_dir / "latest" / "config.yaml")
    except ConfigError:
        return None
