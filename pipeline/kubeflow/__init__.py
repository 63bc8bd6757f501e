"""The same pipeline on Kubeflow Pipelines v2: compiled, checked, and run on a cluster or locally without one."""
