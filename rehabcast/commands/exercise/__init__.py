"""`rehabcast exercise`: exercise at home, against a programme."""
