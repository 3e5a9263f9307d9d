"""The measurement of answers."""

from ccnn_geo.experiments.benchmarks import bench_answers


def test_the_first_answer_is_told_beside_its_imports(monkeypatch):
    seconds = {"torch": 1.0, "torch._dynamo": 3.0, "torch_geometric": 3.5, "first": 4.25}
    asked = []

    def measured(programs, repeats):
        asked.append(programs)
        return {name: seconds[name] for name in programs}

    monkeypatch.setattr(bench_answers, "median_seconds", measured)
    assert bench_answers.first_answer("digits", "a file.npy") == (
        "first answer: 4.25 s, import torch 1.00 s, beyond it 3.25 s: torch-geometric 2.50 s "
        "(of which torch._dynamo 2.00 s), the rest 0.75 s"
    )
    assert "['predict', 'digits', 'a file.npy']" in asked[0]["first"].replace('"predict"', "'predict'")
