"""Prints what the training operator's models do not know of a TFJob: `PYTHON sdk_models.py FILE`.

For an environment with `kubeflow-training`. Its authors generate the models from the operator's CRDs, and those of pods
from Kubernetes' own. They refuse a missing field; unknown ones are found here.
"""

import re
import sys

import yaml
from kubeflow.training import models
from kubernetes import client


def problems(value, kind, path):
    """Yields a line for each field of a value that its model lacks, and for each value that it refuses."""
    if match := re.fullmatch(r"(list\[|dict\(str, )(.+)[\])]", kind):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from problems(item, match[2], f"{path}.{name}")
        return
    model = getattr(models, kind, None) or getattr(client, kind, None)
    if model is None:
        expected = {"str": str, "int": int, "bool": bool}.get(kind, object)
        if not isinstance(value, expected):
            yield f"{path}: expected {kind}, got {value!r}"
        return
    names = {name: attribute for attribute, name in model.attribute_map.items()}
    known = {}
    for name, item in value.items():
        if name not in names:
            yield f"{path}.{name}: unknown"
            continue
        known[names[name]] = item
        yield from problems(item, model.openapi_types[names[name]], f"{path}.{name}")
    try:
        model(**known)
    except ValueError as error:
        yield f"{path}: {error}"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(problems(yaml.safe_load(file), "KubeflowOrgV1TFJob", "TFJob"))
    print("\n".join(found))
    sys.exit(bool(found))
