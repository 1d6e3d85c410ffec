"""Fitting of networks: parameters, cross-fitting, search, on one machine or a cluster."""
