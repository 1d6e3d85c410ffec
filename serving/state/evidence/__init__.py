"""What the service's record holds of forecasts and their outcomes, and what was counted of it."""
