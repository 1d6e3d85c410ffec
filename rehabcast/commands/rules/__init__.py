"""What holds for every command alike: options, names, and what is written where."""
