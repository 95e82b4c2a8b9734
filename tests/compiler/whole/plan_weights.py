"""The weights of an artifact, read without our programs: plan.fb by flatc and the schema, files by numpy, and layouts undone
as dialects/kernel describes them. Quantised weights become what they stand for, code by code.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "runtime" / "schema" / "artifact.fbs"
STORED = {"bf16": (np.uint16, torch.bfloat16), "f32": (np.float32, torch.float32), "i8": (np.uint8, torch.uint8),
          "f8e4m3": (np.uint8, torch.float8_e4m3fn)}
PANEL, ROW_MAJOR = "#kernel.layout<panel, 16>", "#kernel.layout<row_major, 1>"


def read_plan(artifact):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["flatc", "--strict-json", "--raw-binary", "--defaults-json", "-t", "-o", folder, SCHEMA, "--",
                        artifact / "plan.fb"], check=True)
        return json.loads((pathlib.Path(folder) / "plan.json").read_text())


class Weight:
    """One layer of one weight, mapped; as it lies."""

    def __init__(self, artifact, plan, entry, layer):
        piece = entry["slices"][layer - entry["first_layer"]]
        stored, self.type = STORED[entry["type"]]
        self.name, self.source, self.layout = entry["name"], entry.get("source", ""), entry.get("layout", "")
        if self.layout not in ("", PANEL, ROW_MAJOR):  # computed weights have none
            sys.exit(f"{self.name} lies in {self.layout}, which plan_weights.py cannot undo: teach it that layout")
        self.path = plan["files"][piece["file"]]["path"]
        self.array = np.memmap(artifact / self.path, stored, "r", piece["offset"], tuple(entry["shape"]))

    @property
    def is_int4(self):
        return self.source.endswith(".weight_packed")

    def part(self, index=...):
        """Values as stored, [.., rows, columns] of the logical tensor; int4 as numbers. `index`: along the first dimension."""
        values = torch.from_numpy(np.array(self.array[index]))
        if self.is_int4:  # two along the columns in a byte, the even one low, each 8 too large
            columns = values.dim() - (2 if self.layout == PANEL else 1)
            values = torch.stack([values & 15, values >> 4], columns + 1).flatten(columns, columns + 1).to(torch.int8) - 8
        elif self.type != values.dtype:
            values = values.view(self.type)
        if self.layout == PANEL:  # [.., panel, column, row of the panel]
            values = values.transpose(-1, -2).flatten(-3, -2)
        return values


class PlanWeights:
    """All weights of rank 0, by name, as plan.fb has them."""

    def __init__(self, artifact):
        self.artifact, self.plan = pathlib.Path(artifact), read_plan(artifact)
        self.entries = {entry["name"]: entry for entry in self.plan["ranks"][0]["weights"]}

    def layers(self, name):
        entry = self.entries[name]
        return range(entry["first_layer"], entry["first_layer"] + len(entry["slices"]))

    def weight(self, name, layer=0):
        return Weight(self.artifact, self.plan, self.entries[name], layer)

    def values(self, name, layer=0, index=...):
        """Dequantised to float32: code times the scale of its block, one product."""
        weight = self.weight(name, layer)
        values = weight.part(index).float()
        if name + ".scales" not in self.entries:
            return values
        scales = self.weight(name + ".scales", layer).part(index).float()
        for along, block in ((-1, 32 if weight.is_int4 else 128), (-2, 128)):
            if scales.shape[along] != values.shape[along]:  # rows whose scales were repeated have one each
                scales = scales.repeat_interleave(block, along).narrow(along, 0, values.shape[along])
        return values.mul_(scales)

    def tensor_name(self, name, layer):
        """Of transformers' model: the checkpoint's, without what says how it is stored."""
        source = self.entries[name]["source"].replace("{layer}", str(layer)).removeprefix("language_model.")
        return re.sub(r"\.weight_packed$", ".weight", source)
