"""What the service keeps: the champion in service, running records, the log of forecasts."""
