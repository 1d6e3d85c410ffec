"""The server process: one listening socket, its workers, and what a connection may cost."""
