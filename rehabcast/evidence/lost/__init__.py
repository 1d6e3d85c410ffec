"""The lost of a version in service: whom to find, and what is learned of those who were found."""
