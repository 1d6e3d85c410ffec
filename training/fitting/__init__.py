"""How a model is fitted: parameters, cross-fitting, search, on one machine or many."""
