"""Every generated kernel against torch, at the dimensions it was made for. Ends with 'N passed, N failed'.

    python run.py FOLDER [--only NAME ..] [--tokens 1,5,16,64] [--contexts 64,1000,4096]    on this machine's GPU
    python run.py FOLDER --dry            without a GPU: every input and reference is made, nothing is launched
    python run.py FOLDER --emulated       without a GPU: code made by tests/gpu/emulate

FOLDER is one of describe.py's, or holds some. A row per kernel and number of tokens (64 of 3: brought by 3 sequences, else
each by its own): of the element that is worst the error, its limit (values.py derives it from types and lengths of sums), and
the share that is used of what float32 arithmetic may make, rounding to the result's type set aside; µs of a launch; and the
time of a copy of the bytes that it must move, as % of that. A kernel without a reference fails.
"""
import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import torch

import inputs
import launch
import reference
from values import Verdict, within

COPY_BYTES = 1 << 30
HEADER = ("| profile | kernel | tokens | context | error | limit | share | verdict | µs | % of copy |\n"
          "|---|---|--:|--:|--:|--:|--:|---|--:|--:|")


def cases(kernel, tokens, contexts):
    """(tokens of each sequence, context): decoding, and where a kernel knows sequences, one step that mixes lengths."""
    knows = {source.get("name") for source in kernel["sources"]} & {"block_tables", "sequence_offsets"}
    for context in contexts if knows else [min(contexts)]:
        for count in tokens:
            yield [1] * count, context
        if knows:
            most = max(tokens)
            yield [part for part in (1, most // 5, most - 1 - most // 5) if part > 0], context


def floor_bytes(kernel, step):
    """The bytes that a launch must move, as the plan counts them."""
    total = 0
    for symbol, times, cap, each in kernel["bytes"]:
        count = step.sizes[symbol] * times
        total += (min(count, cap) if cap else count) * each
    return total


def copy_rate(machine):
    """Bytes a second that a copy reads and writes here."""
    if machine.device == "cpu":
        return 0.0
    data = torch.zeros(COPY_BYTES, dtype=torch.uint8, device=machine.device)
    other = torch.empty_like(data)
    return 2 * COPY_BYTES / machine.microseconds(lambda: other.copy_(data)) * 1e6


def compare(kernel, expected, found):
    """Of the result that is worst in relation to its limit."""
    return max((result.compare(found, index) for index, result in enumerate(expected)), key=Verdict.order)


def check(machine, function, kernel, step, weights, spoil=None):
    """The verdict and µs of one launch; `spoil` may change what was found."""
    arguments = inputs.arguments_of(kernel, step, weights)
    expected = reference.evaluate(kernel, arguments)
    results = launch.Results(kernel, step)
    found = results.views if kernel["values"] else [tensor for tensor, source in zip(arguments, kernel["sources"])
                                                    if source["kind"] == "cache"]
    if function is None:
        parts = [part for part in expected if isinstance(part, reference.Value)]
        for part, view in zip(parts, found):
            if list(part.value.shape) != list(view.shape) and len(parts) == len(expected):
                raise launch.LaunchError(f"the reference has shape {list(part.value.shape)}, the result {list(view.shape)}")
            if part.value.isnan().any() or part.bound().isnan().any():
                raise launch.LaunchError("the reference holds what is no number")
        return within(0.0, 0.0), 0.0
    parameters, alive = launch.parameters_of(kernel, step, arguments, results)
    blocks = launch.blocks_of(kernel, step)
    machine.launch(function, kernel, blocks, parameters)
    machine.wait()
    results.check_guards()
    if spoil:
        spoil(found)
    verdict = compare(kernel, expected, found)
    return verdict, machine.microseconds(lambda: machine.launch(function, kernel, blocks, parameters))


class Report:
    def __init__(self, rate):
        self.rate, self.passed, self.failed = rate, 0, 0

    def row(self, profile, kernel, step, context, verdict, microseconds):
        self.passed, self.failed = self.passed + verdict.passed, self.failed + (not verdict.passed)
        tokens = step.tokens if step.sizes["sequences"] == step.tokens else f"{step.tokens} of {step.sizes['sequences']}"
        share = floor_bytes(kernel, step) / self.rate * 1e8 / microseconds if self.rate and microseconds else 0.0
        print(f"| {profile} | {kernel['name']} | {tokens} | {context} | {verdict.error:.2e} | {verdict.limit:.2e} | "
              f"{verdict.share:.3f} | {'pass' if verdict.passed else 'FAIL'} | {microseconds:.1f} | {share:.0f} |", flush=True)

    def fail(self, profile, kernel, tokens, why):
        self.failed += 1
        print(f"| {profile} | {kernel['name']} | {tokens} | | | | | FAIL: {type(why).__name__}: {why} | | |", flush=True)


def run_kernel(machine, folder, kernel, model, args, report):
    weights, tokens = inputs.Weights(), "all"
    try:
        function = None if args.dry else machine.load(folder / kernel["code"], kernel)
        for lengths, context in cases(kernel, args.tokens, args.contexts):
            tokens = sum(lengths)
            step = inputs.Step(lengths, context, model, machine.device)
            report.row(folder.name, kernel, step, context, *check(machine, function, kernel, step, weights))
    except (launch.LaunchError, NotImplementedError, AssertionError, RuntimeError, KeyError) as error:
        report.fail(folder.name, kernel, tokens, error)
        if "CUDA error" in str(error) or isinstance(error, launch.LaunchError) and "cu" in str(error)[:2]:
            raise


def folders_of(folder):
    found = [folder] if (folder / "kernels.json").exists() else sorted(path.parent for path in folder.glob("*/kernels.json"))
    if not found:
        sys.exit(f"run.py: no kernels.json in {folder} or below: describe.py makes it")
    return found


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[], help="kernels whose name holds one of these")
    parser.add_argument("--tokens", type=numbers, default=[1, 5, 16, 64])
    parser.add_argument("--contexts", type=numbers, default=[64, 1000, 4096])
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--emulated", action="store_true")
    args = parser.parse_args()
    machine = launch.Emulated() if args.dry or args.emulated else launch.Gpu()
    rate = copy_rate(machine)
    print(f"copy: {rate / 1e12:.2f} TB/s, read and written\n" if rate else "", end="")
    print(HEADER)
    report, start = Report(rate), time.monotonic()
    try:
        for folder in folders_of(args.folder):
            model = json.loads((folder / "kernels.json").read_text())
            for kernel in model["kernels"]:
                if not args.only or any(word in kernel["name"] for word in args.only):
                    run_kernel(machine, folder, kernel, model, args, report)
    except (RuntimeError, launch.LaunchError) as error:  # a GPU's context does not survive: nothing more can be run
        print(f"stopped: {error}")
    print(f"\n{time.monotonic() - start:.0f} s\n{report.passed} passed, {report.failed} failed")
    sys.exit(0 if report.passed and not report.failed else 1)


if __name__ == "__main__":
    main()
