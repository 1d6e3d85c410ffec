"""The composition root: command line and settings; the only place that joins the packages."""
