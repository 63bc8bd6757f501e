"""The pipeline's records in ML Metadata: ids of nodes, names of properties, and typed readers of both."""
