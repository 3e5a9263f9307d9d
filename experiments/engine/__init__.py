"""How studies run: jobs, reports, provenance."""
