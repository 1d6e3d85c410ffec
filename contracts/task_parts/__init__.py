"""Parts of a task, and what would make a task senseless."""
