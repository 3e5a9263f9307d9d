"""The layout of PhysioNet 2012 in small, for tests."""

from ccnn_geo.datasets.series.physionet2012 import PhysioNet2012
from ccnn_geo.datasets.series.physionet_records import VARIABLES

V = len(VARIABLES)

HEADERS = {
    "a": "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death",
    "c": "RecordID,In-hospital_death",
}


def write_set(root, letter, count, start):
    """Stays that say which they are: a heart rate of 60 plus their number, at 00:30 and, twice, at 47:59."""
    folder = root / f"set-{letter}"
    folder.mkdir(parents=True)
    outcomes = [HEADERS.get(letter, HEADERS["a"])]
    for i in range(count):
        rows = [f"00:00,RecordID,{start + i}", "00:00,Age,54", f"00:00,Gender,{i % 2}", "00:00,Height,-1"]
        rows += [f"00:00,ICUType,{1 + i % 4}", "00:00,Weight,-1", f"47:59,HR,{60 + i}", f"00:30,HR,{60 + i}"]
        rows += [f"47:59,HR,{62 + i}", "47:59,,0.9", "01:00,Temp,37.5"]
        (folder / f"{start + i}.txt").write_text("Time,Parameter,Value\n" + "\n".join(rows) + "\n")
        cells = [f"{start + i}"] + ["0"] * (len(outcomes[0].split(",")) - 2) + [str(int(i % 5 == 0))]
        outcomes.append(",".join(cells))
    (root / f"Outcomes-{letter}.txt").write_text("\n".join(outcomes) + "\n")


def opened(root, split="train", **kwargs):
    return PhysioNet2012(root, split, download=False, check_counts=False, **kwargs)
