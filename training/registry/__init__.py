"""Registry: bundles, model cards and registered model versions."""
