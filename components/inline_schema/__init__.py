"""A schema that travels with the pipeline, where no file of this machine can be read."""
