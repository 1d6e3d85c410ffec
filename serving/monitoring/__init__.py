"""Remote monitoring: from a record on file and the moment of the question to alerts."""
