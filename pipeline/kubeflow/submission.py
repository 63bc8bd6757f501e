"""What a run is told when it is submitted."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from pipeline.kubeflow import parameters
from pipeline.kubeflow.package import Package
from shortlist.config.config import Config


def run_parameters(
    config: Config, data_root: str, serving_dir: str, content_sha256: Mapping[str, str]
) -> dict[str, str]:
    """Returns the parameters of a run that has nothing to be compared with.

    Args:
      config: Says which tables there are.
      data_root: Where their relative paths start, as the pods see it.
      serving_dir: Folder that models are pushed to, as the pods see it.
      content_sha256: By table name, the fingerprint of its files.
    """
    return {
        parameters.DATA_ROOT: data_root,
        parameters.SERVING_DIR: serving_dir,
        **{parameters.content_sha256(table): content_sha256[table] for table in config.data.tables},
    }


def uncached(package: Package) -> Package:
    """Returns a package whose tables are read every time: without fingerprints the cache is blind.

    What follows them runs again whenever they do, since what they write has a new name.
    """
    pipeline = copy.deepcopy(package.pipeline)
    for task in pipeline["root"]["dag"]["tasks"].values():
        if "content_sha256" in task.get("inputs", {}).get("parameters", {}):
            task["cachingOptions"] = {}
    return Package(pipeline, package.platform)
