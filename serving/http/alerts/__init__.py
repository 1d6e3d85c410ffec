"""The routes of monitoring: a caseload's alerts, a person's, and decisions about them."""
