"""Executes a compiled pipeline without a cluster, as KFP's driver and launcher would: see docs/kubeflow.md.

A rehearsal proves that the file can be resolved task by task, that every container's command runs in a clean
environment, and that what one task says of its outputs is what the next can read. It proves nothing of Kubernetes, Argo
or object stores.
"""
