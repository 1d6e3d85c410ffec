"""Answers with a forecast, its interval and its reasons, from the audited champion only."""
