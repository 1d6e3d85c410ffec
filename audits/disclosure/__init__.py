"""Which numbers of a report may be shown, so that nobody can be worked out from them."""
