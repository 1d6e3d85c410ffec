"""Tables that are put on record through a page: what is asked, what was understood, then kept."""
