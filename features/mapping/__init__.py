"""Looks at a hospital's tables and proposes the map that reads them; a person confirms it."""
