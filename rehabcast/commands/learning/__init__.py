"""Commands that learn: training, search, mitigation, and the benchmark of all families."""
