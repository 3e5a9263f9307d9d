"""Internal: how studies run (jobs, reports, provenance), and what pages and pictures are made by."""

__all__: list[str] = []
