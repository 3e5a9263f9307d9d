"""Internal: files that are complete or absent, archives, downloads."""
