"""What monitoring keeps: where each record stands in time, decisions on alerts, the caseload."""
