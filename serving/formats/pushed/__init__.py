"""Points that a gateway pushes: read as an import reads them, and each judged by itself."""
