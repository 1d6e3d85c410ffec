"""What benchmarks share: load, raw weeks, and rigs that judge the auditor."""
