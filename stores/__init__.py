"""Access to SQL databases; nothing here knows what is kept in them."""
