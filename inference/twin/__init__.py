"""The recovery twin: the course under another plan, and how far an answer can be trusted."""
