"""Models for others: folders of weights and settings, and programs that run without this package."""
