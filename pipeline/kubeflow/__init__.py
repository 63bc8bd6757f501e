"""The same pipeline on Kubeflow Pipelines v2: compiled, checked, submitted, and rehearsed without a cluster."""
