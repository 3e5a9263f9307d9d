import pytest


@pytest.fixture
def trained_here(monkeypatch):
    """Trainings of studies run in this process: one of their own would import torch for longer than it trains."""
    from ccnn_geo import cli
    from ccnn_geo.experiments.engine import training_job

    def run(arguments):
        assert cli.main(arguments) == 0

    monkeypatch.setattr(training_job, "_run", run)
