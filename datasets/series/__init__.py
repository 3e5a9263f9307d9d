"""Series with gaps: CSV folders and PhysioNet 2012."""
