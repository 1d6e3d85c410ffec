"""One module a file format of a wearable or phone."""
