"""What older releases of torch cannot do; ``docs/limits.md`` says so to users."""

import pytest
import torch

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
since_2_10 = pytest.mark.skipif(TORCH < (2, 10), reason="torch before 2.10 cannot")
