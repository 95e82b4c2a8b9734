"""When logits are right (design, "Numerics"). Needs numpy only.

Error = RMS over logits, relative to the reference's RMS.

  profile f32    error over all rows ≤ 1e-5, and the same argmax in every row.
  the others     (bf16, w8a16, w4a16) error over the clear rows ≤ 1.5 × the error over them of torch's own bf16 run of the
                 same (dequantised) weights, and the same argmax in every firm row.

A row is *clear* when the router's margin, in every layer, is above torch's bf16 error (else one flipped expert decides
its error), and *firm* when its top-2 margin is above it too. Rows that are not firm are counted: over all cases of a
run, at most as many may change their argmax as in torch's own bf16 run (run.py).
"""

import dataclasses
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
F32_LIMIT = 1e-5
BF16_FACTOR = 1.5
OWN = {None: "bf16", "fp8": "w8a16", "int4": "w4a16"}  # a family's own profile, by how it is quantised
HEADER = ("| family | case | profile | rows | error | limit | error/limit | firm rows that differ | loose rows that differ"
          " (torch bf16) | result |\n|---|---|---|--:|--:|--:|--:|--:|--:|---|")


@dataclasses.dataclass
class Verdict:
    family: str
    case: str
    profile: str
    rows: int
    error: float
    limit: float
    firm_differ: int
    loose_differ: int
    loose_allowed: int

    @property
    def ratio(self):
        return self.error / self.limit

    @property
    def passed(self):
        """Not-a-number errors fail too."""
        return bool(self.error <= self.limit) and self.firm_differ == 0

    def row(self):
        return (f"| {self.family} | {self.case} | {self.profile} | {self.rows} | {self.error:.3g} | {self.limit:.3g} | "
                f"{self.ratio:.2f} | {self.firm_differ} | {self.loose_differ} ({self.loose_allowed}) | "
                f"{'pass' if self.passed else 'FAIL'} |")


def error_of(found, wanted):
    found, wanted = np.float64(found), np.float64(wanted)
    return float(np.sqrt(np.sum((found - wanted) ** 2) / np.sum(wanted**2)))


def load_manifest():
    return json.loads((HERE / "goldens.json").read_text())


def own_profile(family):
    """The profile that rounds activations to bf16 and takes weights as the family stores them."""
    traits = json.loads((HERE / "families" / "families.json").read_text())[family]
    return OWN[traits.get("quantised")]


def load_logits(family, case):
    return np.load(HERE / "logits" / f"{family}-{case}.npy")


def judge(found, family, case, profile, manifest=None):
    entry = (manifest or load_manifest())["families"][family][case]
    wanted = load_logits(family, case)
    if found.shape != wanted.shape:
        raise ValueError(f"{family}/{case}: logits of shape {found.shape}, expected {wanted.shape}")
    clear, firm = np.array(entry["clear"], bool), np.array(entry["firm"], bool)
    differs = found.argmax(1) != wanted.argmax(1)
    if profile == "f32":
        clear = firm = np.ones(len(wanted), bool)
        limit, allowed = F32_LIMIT, 0
    else:
        limit, allowed = BF16_FACTOR * entry["bf16_error"], entry["bf16_loose_rows_differ"]
    error = error_of(found[clear], wanted[clear])
    return Verdict(family, case, profile, len(wanted), error, limit, int((differs & firm).sum()),
                   int((differs & ~firm).sum()), allowed)
