"""What a treatment did on average, estimated from people who were not randomised to it.

Only benchmarks need it: no answer of the service is estimated from people (docs/twin-evidence.md).
"""
