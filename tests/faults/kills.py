"""What kills, full disks and lost processes do to preparations, answers and trainings; prints it as JSON.

python kills.py FOLDER
"""

import json
import os
import sys
from pathlib import Path

from preparing import all_reports

if __name__ == "__main__":
    work = Path(sys.argv[1])
    found = {"preparing": all_reports(work / "data", [])}
    os.chdir(work)  # messages name paths as they were given
    from sharing import all_shared

    found["sharing"] = all_shared()
    from training import all_trials  # Lightning: a hundred forks before take longer with it

    json.dump({**found, "training": all_trials()}, sys.stdout)
