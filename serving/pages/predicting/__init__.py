"""Predictions of one's own, before the forecast is seen: in practice, and of patients."""
