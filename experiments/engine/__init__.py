"""Internal: how studies run (jobs, reports, provenance), and the generators of pages and pictures."""

__all__: list[str] = []
