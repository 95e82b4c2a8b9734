"""One decode step of an artifact on this machine's GPU: what ran when, the gaps between launches, a picture.

    python timeline.py ARTIFACT OUT [--bin DIR] [--batch 1] [--context 256] [--tokens 8]
    python timeline.py --kernels OUT/kernels.json OUT          draws again what was recorded

kimi-bench runs with the recorder that Timeline.cpp makes (bin/libkimi_timeline.so) and CUPTI, which CUDA's toolkit and torch's
wheels bring. OUT gets kernels.json (every kernel of the run), step.json (the last whole decode step, of a CUDA graph where
there is one) and step.svg. A step runs from one embedding to the sampler behind it.
"""
import argparse
import collections
import html
import json
import os
import pathlib
import site
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIRST, LAST = "embedding", "sample"  # how the names of a step's first and last kernels begin
CUPTI = ["nvidia/cu13/lib/libcupti.so.13", "nvidia/cuda_cupti/lib/libcupti.so.13", "nvidia/cuda_cupti/lib/libcupti.so.12"]
TOOLKITS = ["/usr/local/cuda/extras/CUPTI/lib64/libcupti.so", "/usr/local/cuda/lib64/libcupti.so"]
# By the first of these words in a kernel's name: what it is called in the picture, its colour.
KINDS = {"expert_linear": ("experts", "#d1495b"), "attention": ("attention", "#2e86ab"),
         "absorb_query": ("absorb, expand", "#5fb0d6"), "expand_value": ("absorb, expand", "#5fb0d6"), "linear": ("linear", "#3b8e5a"), "rms_norm": ("norm", "#c9a227"),
         "quantise": ("quantise", "#8e6c1e"), "rope": ("rope, cache write", "#7d5ba6"),
         "cache_write": ("rope, cache write", "#7d5ba6"), "route": ("route, dispatch, combine", "#e07a3f"),
         "dispatch": ("route, dispatch, combine", "#e07a3f"), "combine": ("route, dispatch, combine", "#e07a3f"),
         "sample": ("sample", "#444444")}
OTHER = ("other", "#999999")
WIDTH, LEFT, ROW, TOP = 1400, 230, 26, 64  # of the picture, in pixels


def kind_of(name):
    return next((kind for word, kind in KINDS.items() if word in name), OTHER)


def find_cupti():
    """The first CUPTI that is there; None lets the loader look for itself."""
    places = [pathlib.Path(folder) / name for folder in [*site.getsitepackages(), *sys.path] for name in CUPTI]
    places += [pathlib.Path(path) for path in TOOLKITS]
    if home := os.environ.get("CUDA_HOME"):
        places.insert(0, pathlib.Path(home) / "extras/CUPTI/lib64/libcupti.so")
    return next((place for place in places if place.exists()), None)


def record(args):
    library = args.bin.resolve() / "libkimi_timeline.so"
    if not library.exists():
        sys.exit(f"timeline.py: {library} does not exist: build the target kimi_timeline, or give --bin DIR")
    environment = os.environ | {"CUDA_INJECTION64_PATH": str(library), "KIMI_TIMELINE": str(args.out.resolve() / "kernels.json")}
    if cupti := find_cupti():
        environment["KIMI_CUPTI"] = str(cupti)
    command = [str(args.bin / "kimi-bench"), str(args.artifact), "--batch", str(args.batch), "--context", str(args.context),
               "--tokens", str(args.tokens)]
    if subprocess.run(command, env=environment).returncode:
        sys.exit(f"timeline.py: {' '.join(command)} failed")
    if not (args.out / "kernels.json").exists():
        sys.exit("timeline.py: nothing was recorded: what the recorder said stands above")


def steps_of(kernels):
    """Runs of kernels from a first to a last one, in order of their starts."""
    steps, current = [], None
    for kernel in sorted(kernels, key=lambda kernel: kernel["start"]):
        if kernel["name"].startswith(FIRST):
            current = []
        if current is not None:
            current.append(kernel)
            if kernel["name"].startswith(LAST):
                steps.append(current)
                current = None
    return steps


def decode_steps(kernels):
    """The steps that are decode steps: CUDA graphs, if there are any at all."""
    steps = steps_of(kernels)
    if not steps:
        sys.exit(f"timeline.py: among {len(kernels)} kernels no step runs from '{FIRST}..' to '{LAST}..'")
    return [step for step in steps if all(kernel["graph"] for kernel in step)] or steps


def measure(steps):
    """Times of the last step in µs: the whole step, when at least one kernel ran, gaps in which none did, and when two
    overlapped; and the median time from one step's end to the next one's begin, in which the host works."""
    step = steps[-1]
    between = [(after[0]["start"] - max(kernel["end"] for kernel in before)) / 1000 for before, after in zip(steps, steps[1:])]
    begin, busy_until, busy, overlap, gaps = step[0]["start"], step[0]["start"], 0, 0, []
    for kernel in step:
        if kernel["start"] > busy_until:
            gaps.append((kernel["start"] - busy_until) / 1000)
        overlap += max(0, min(busy_until, kernel["end"]) - kernel["start"])
        busy += max(0, kernel["end"] - max(busy_until, kernel["start"]))
        busy_until = max(busy_until, kernel["end"])
    return {"kernels": len(step), "is_graph": all(kernel["graph"] for kernel in step), "total": (busy_until - begin) / 1000,
            "busy": busy / 1000, "overlap": overlap / 1000, "gaps": len(gaps), "gap_sum": sum(gaps),
            "gap_median": statistics.median(gaps or [0]), "gap_longest": max(gaps, default=0),
            "between_steps": statistics.median(between or [0]), "steps": len(steps)}


def summary(step, numbers):
    print(f"last decode step: {numbers['kernels']} kernels{', of a CUDA graph' if numbers['is_graph'] else ''}")
    percent = 100 / numbers["total"]
    print(f"  total {numbers['total']:.1f} µs, busy {numbers['busy']:.1f} µs ({numbers['busy'] * percent:.1f} %)")
    print(f"  {numbers['gaps']} gaps: median {numbers['gap_median']:.2f} µs, longest {numbers['gap_longest']:.2f} µs, "
          f"sum {numbers['gap_sum']:.1f} µs ({numbers['gap_sum'] * percent:.1f} %); overlap {numbers['overlap']:.1f} µs")
    if numbers["steps"] > 1:
        print(f"  from a step's end to the next one's begin: median {numbers['between_steps']:.1f} µs "
              f"({numbers['steps']} steps)")
    times = collections.defaultdict(list)
    for kernel in step:
        times[kernel["name"]].append((kernel["end"] - kernel["start"]) / 1000)
    print("\n| kernel | launches | µs each | µs | % of the step |\n|---|--:|--:|--:|--:|")
    for name, spent in sorted(times.items(), key=lambda item: -sum(item[1])):
        print(f"| {name} | {len(spent)} | {sum(spent) / len(spent):.1f} | {sum(spent):.1f} | {sum(spent) * percent:.1f} |")


def tick_length(total):
    """1, 2 or 5 times a power of ten, so that 8 to 20 of them fill the axis."""
    length = 10 ** (len(str(int(total))) - 1)
    return next(length * part for part in (1, 0.5, 0.2, 0.1, 0.05) if total / (length * part) >= 8)


def draw(step, numbers, title):
    """A row for each kind of kernel, time to the right."""
    begin, total = step[0]["start"], numbers["total"]
    kinds = list(dict.fromkeys(kind_of(kernel["name"]) for kernel in step))
    scale = (WIDTH - LEFT - 20) / total
    height = TOP + ROW * len(kinds) + 44
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             'font-size="13">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="12" y="24" font-size="16" font-weight="bold">{html.escape(title)}</text>',
             f'<text x="12" y="46" fill="#555">{numbers["kernels"]} kernels in {total:.0f} µs; '
             f'busy {100 * numbers["busy"] / total:.1f} %; gaps: median {numbers["gap_median"]:.2f} µs, '
             f'longest {numbers["gap_longest"]:.2f} µs, sum {numbers["gap_sum"]:.1f} µs</text>']
    bottom = TOP + ROW * len(kinds)
    tick = tick_length(total)
    for i in range(int(total / tick) + 1):
        x = LEFT + i * tick * scale
        lines.append(f'<path d="M{x:.1f} {TOP}V{bottom + 6}" stroke="#ddd"/>'
                     f'<text x="{x:.1f}" y="{bottom + 22}" text-anchor="middle" fill="#555">{i * tick:g}</text>')
    lines.append(f'<text x="{WIDTH - 20}" y="{bottom + 38}" text-anchor="end" fill="#555">µs</text>')
    for row, (kind, colour) in enumerate(kinds):
        y = TOP + ROW * row
        own = [kernel for kernel in step if kind_of(kernel["name"])[0] == kind]
        share = 100 * sum(kernel["end"] - kernel["start"] for kernel in own) / 1000 / total
        lines.append(f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end">{html.escape(kind)} {share:.0f} %</text>'
                     f'<g fill="{colour}">')
        for kernel in own:
            x, width = LEFT + (kernel["start"] - begin) / 1000 * scale, (kernel["end"] - kernel["start"]) / 1000 * scale
            lines.append(f'<rect x="{x:.2f}" y="{y + 4}" width="{max(width, 0.4):.2f}" height="{ROW - 8}">'
                         f'<title>{html.escape(kernel["name"])}: {(kernel["end"] - kernel["start"]) / 1000:.1f} µs</title></rect>')
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=pathlib.Path, nargs="?")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, help="programs (default: beside tests/, or build/bin)")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--kernels", type=pathlib.Path, help="draw what was recorded before")
    args = parser.parse_args()
    if (args.artifact is None) == (args.kernels is None):
        parser.error("give an artifact, or --kernels FILE")
    root = HERE.parents[1]
    args.bin = args.bin or (root / "bin" if (root / "bin").exists() else root / "build" / "bin")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.artifact:
        record(args)
    steps = decode_steps(json.loads((args.kernels or args.out / "kernels.json").read_text()))
    step, numbers = steps[-1], measure(steps)
    summary(step, numbers)
    (args.out / "step.json").write_text(json.dumps({"measured in µs": numbers, "kernels": step}, indent=1) + "\n")
    title = "one decode step"
    if args.artifact:
        title = f"{args.artifact.name}: {title}, batch {args.batch}, context {args.context}"
    (args.out / "step.svg").write_text(draw(step, numbers, title))
    print(f"\n{args.out / 'step.svg'}, {args.out / 'step.json'}")


if __name__ == "__main__":
    main()
