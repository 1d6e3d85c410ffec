"""What looks at records for alerts, and tells an address of them."""
