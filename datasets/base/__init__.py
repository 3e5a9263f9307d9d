"""Internal: what all data sets share."""
