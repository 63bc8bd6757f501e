"""Checks of a compiled package: finds what the KFP v2 backend would refuse, or accept and then fail on.

The rules come from the source of the backend's compiler, driver and launcher (2.5). Each rule is one function. A test
of each rule shows that a spec of kfp's own compiler passes and that a broken one does not.
"""

from pipeline.kubeflow.check.rules import find_problems, refuse_problems
from pipeline.kubeflow.check.view import PackageProblem

__all__ = ["PackageProblem", "find_problems", "refuse_problems"]
