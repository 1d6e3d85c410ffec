"""The composition root: command line and settings; the only package that joins the others."""
