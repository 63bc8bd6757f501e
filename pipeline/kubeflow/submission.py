"""Run parameters of a submission, and packages of scheduled runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from pipeline.kubeflow import parameters
from pipeline.kubeflow.package import Package
from shortlist.config.config import Config


def run_parameters(
    config: Config, data_root: str, serving_dir: str, content_sha256: Mapping[str, str]
) -> dict[str, str]:
    """Returns the run parameters, without those of artifacts to compare with.

    Args:
      config: The config with the tables.
      data_root: Folder that the tables' relative paths start from, as the pods see it.
      serving_dir: Folder that models are pushed to, as the pods see it.
      content_sha256: Table name to the fingerprint of its files.
    """
    return {
        parameters.DATA_ROOT: data_root,
        parameters.SERVING_DIR: serving_dir,
        **{parameters.content_sha256(table): content_sha256[table] for table in config.data.tables},
    }


def uncached(package: Package) -> Package:
    """Returns a package that reads its tables in every run, for runs without fingerprints of the data.

    Without fingerprints the cache does not notice changed tables. All later tasks run again too, since the tables'
    artifacts get new names.
    """
    pipeline = copy.deepcopy(package.pipeline)
    for task in pipeline["root"]["dag"]["tasks"].values():
        if "content_sha256" in task.get("inputs", {}).get("parameters", {}):
            task["cachingOptions"] = {}
    return Package(pipeline, package.platform)
