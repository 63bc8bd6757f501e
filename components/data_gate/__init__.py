"""The DataGate node: stops the run if the data violates its schema or changed too much."""
