"""What an audit needs around it: other forecasts to judge, the people behind them, its reports."""
