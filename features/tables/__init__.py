"""Tables of text and Parquet files, read as they are declared: no cell is moved or guessed."""
