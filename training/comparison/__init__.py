"""Comparison of models: benchmark, leaderboard, leakage checks, Bayes floor, model selection."""
