"""What another plan of therapy would change for one patient."""
