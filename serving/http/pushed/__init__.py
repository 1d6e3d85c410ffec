"""The route of device gateways."""
