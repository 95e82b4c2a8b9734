"""What the writers of the golden checkpoints (tests/golden) already have."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"))
from checkpoint import write_tokenizer_config  # noqa: E402, F401
from make_tokenizer import byte_order, merge  # noqa: E402, F401
