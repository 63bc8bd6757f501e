"""Local KFP runs: a compiled pipeline, executed without a cluster as KFP's driver and launcher would.

A local KFP run shows that each task's inputs can be resolved, that each container's command runs in a clean
environment, and that each task can read the outputs of the tasks before. It does not test Kubernetes, Argo or object
stores. See docs/kubeflow.md.
"""
