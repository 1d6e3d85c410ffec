"""Rivals from statistics: kernel regression, Gaussian process, hierarchical Bayesian recovery."""
