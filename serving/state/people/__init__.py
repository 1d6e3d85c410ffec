"""Who is signed in to the pages."""
