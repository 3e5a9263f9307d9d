"""Texts: IMDB and ListOps."""
