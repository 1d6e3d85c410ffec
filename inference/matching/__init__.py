"""Forecasts that were given, matched with the outcomes that came later."""
