"""How models are compared: benchmark, leaderboard, leaks, and what no model can beat."""
