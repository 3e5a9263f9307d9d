"""Recordings: Speech Commands and folders of wav files."""
