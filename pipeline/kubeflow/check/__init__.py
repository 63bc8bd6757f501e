"""Refuses by name what the KFP v2 backend would refuse, or take and then fail on.

The rules are read off the backend's compiler, driver and launcher (2.5). Each stands in one function, and each has a
test in which a spec of kfp's own compiler passes and a broken one does not.
"""

from pipeline.kubeflow.check.rules import find_problems, refuse_problems
from pipeline.kubeflow.check.view import PackageProblem

__all__ = ["PackageProblem", "find_problems", "refuse_problems"]
