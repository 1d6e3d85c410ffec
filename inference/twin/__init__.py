"""The course of one patient under another plan of therapy: mechanism, plans, support, answers."""
