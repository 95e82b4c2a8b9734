"""Runs the reference on every family and case and stores what it says: logits/FAMILY-CASE.npy (float32 [rows, vocab]),
ids/FAMILY-CASE.json (input of kimi-run) and goldens.json. Needs torch and transformers (requirements.txt).

    python generate.py [FAMILY ...]         a part of the families; the others keep what is stored
    python generate.py --w8a8               logits/FAMILY-CASE-w8a8.npy, for the stored ids
"""

import argparse
import json
import platform
import tempfile

import numpy as np
import safetensors
import torch
import transformers

import cases
import checkpoint
import criterion
import quantise
import quantised_activations
import reference
import weights
from criterion import error_of

# A margin is "below the bf16 error" when it is under this many standard deviations of that error.
MARGIN_SIGMAS = 4.0
# Prompts hold no token whose router margin is smaller: one flipped expert would decide the error of all rows behind it,
# ours and torch's, and the criterion would be a lottery. About 5 standard deviations of the bf16 error.
CLEAR_MARGIN = 0.012
GREEDY = 6
# Of profile w8a8-1x128. The other fp8 families differ in what the profile does not touch.
QUANTISED_FAMILIES = ["k2-fp8", "deepseek-v3-fp8"]
QUANTISED_CASES = ["short", "chunked", "batch", "decode"]


def clear_tokens(model, config, ids, name, fixed=0):
    """Replaces tokens, from position `fixed` on, until the router's choice is clear everywhere."""
    vocab_size = checkpoint.text_config(config)["vocab_size"]
    for attempt in range(100):
        rows = reference.run_sequence(model, ids, list(range(len(ids))))
        unclear = np.flatnonzero(reference.router_margins(config, rows.choice) < CLEAR_MARGIN)
        if not (unclear >= fixed).any():
            return ids
        other = weights.token_ids(cases.SEED, f"ids/{name}/other/{attempt}", len(ids), vocab_size)
        ids = [other[i] if i >= fixed and i in unclear else token for i, token in enumerate(ids)]
    raise AssertionError(f"{name}: no prompt with clear routing found")


def is_clear(model, config, ids):
    choice = reference.run_sequence(model, ids, list(range(len(ids)))).choice
    return bool((reference.router_margins(config, choice) >= CLEAR_MARGIN).all())


def greedy_tokens(model, ids, count):
    tokens = []
    for _ in range(count):
        known = ids + tokens
        tokens.append(int(reference.run_sequence(model, known, [len(known) - 1], trace=False).logits[0].argmax()))
    return tokens


def clear_decode(model, config, name, case):
    """The first forced tokens are the reference's own greedy ones, of a prompt whose greedy tokens are clear as well."""
    vocab_size = checkpoint.text_config(config)["vocab_size"]
    length, forced = len(case["sequences"][0]["ids"]), case["forced"][0]
    for attempt in range(100):
        prompt = weights.token_ids(cases.SEED, f"ids/{name}/{attempt}", length, vocab_size)
        ids = clear_tokens(model, config, prompt, f"{name}/{attempt}")
        ids = ids + greedy_tokens(model, ids, GREEDY)
        if is_clear(model, config, ids):
            ids = clear_tokens(model, config, ids + forced[GREEDY:], f"{name}/forced", len(ids))
            return {**case, "sequences": [{"ids": ids[:length]}], "forced": [ids[length:]]}
    raise AssertionError(f"{name}: no prompt whose greedy tokens have clear routing")


def clear_case(model, config, name, case):
    if "forced" in case:
        return clear_decode(model, config, name, case)
    sequences = [{"ids": clear_tokens(model, config, sequence["ids"], f"{name}/{i}")}
                 for i, sequence in enumerate(case["sequences"])]
    return {**case, "sequences": sequences}


def describe(config, exact, half, fused, fewest=1 / 3):
    """What goldens.json says about one case. `exact` is the float32 run, `half` the bf16 one, `fused` a float32 run
    with other attention kernels: the noise of float32 itself."""
    router_sigma = 1.4826 * np.median(np.abs(exact.choice - half.choice))
    margins = reference.router_margins(config, exact.choice)
    clear = margins > MARGIN_SIGMAS * router_sigma
    logit_sigma = np.sqrt(np.mean((exact.logits - half.logits)[clear].astype(np.float64) ** 2))
    firm = clear & (reference.top2_margins(exact.logits) > MARGIN_SIGMAS * logit_sigma)
    differs = exact.logits.argmax(1) != half.logits.argmax(1)
    assert clear.sum() >= len(clear) * fewest, "too few positions whose routing is clear"
    assert not (differs & firm).any(), "torch's bf16 run misses a token whose margin is clear"
    noise = error_of(fused.logits, exact.logits)
    assert noise < 3e-6, f"float32 is not reproducible here: {noise}"
    return {
        "f32_noise": float(f"{noise:.2e}"),
        "bf16_error": float(f"{error_of(half.logits[clear], exact.logits[clear]):.5f}"),
        "bf16_error_all_rows": float(f"{error_of(half.logits, exact.logits):.5f}"),
        "router_sigma": float(f"{router_sigma:.2e}"),
        "logit_sigma": float(f"{logit_sigma:.2e}"),
        "smallest_router_margin": float(f"{margins.min():.2e}"),
        "loose_rows": int((~firm).sum()),
        "bf16_loose_rows_differ": int((differs & ~firm).sum()),
        "clear": clear.astype(int).tolist(),
        "firm": firm.astype(int).tolist(),
    }


def generate_family(family):
    """{case: entry} of one family; writes its ids and logits."""
    config = checkpoint.family_config(family)
    vocab_size = checkpoint.text_config(config)["vocab_size"]
    entries = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.write_checkpoint(family, folder, cases.SEED)
        model = reference.load(folder)
        half = reference.load(folder, torch.bfloat16)
        fused = reference.load(folder, attention="sdpa")
    for name, build in cases.CASES.items():
        case = build(family, vocab_size)
        if name not in cases.UNCLEAR:
            case = clear_case(model, config, f"{family}/{name}", case)
        exact = reference.run_case(model, case)
        entry = describe(config, exact, reference.run_case(half, case), reference.run_case(fused, case, trace=False))
        (checkpoint.HERE / "ids" / f"{family}-{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")
        np.save(checkpoint.HERE / "logits" / f"{family}-{name}.npy", exact.logits)
        entries[name] = entry
        print(f"{family:12} {name:8} rows {len(entry['clear']):3}  clear {sum(entry['clear']):3}  firm {sum(entry['firm']):3}"
              f"  bf16 error {entry['bf16_error']:.4f}  float32 noise {entry['f32_noise']:.1e}", flush=True)
    return entries


def run_quantised(model, names, case):
    with quantised_activations.quantised_projections(model, names) as linear:
        rows = reference.run_case(model, case)
    assert linear.count > len(names), "experts or projections were left out"
    return rows


def generate_quantised(family):
    """{case: entry} of profile w8a8-1x128: the same prompts, activations quantised. Clear rows are those of this run."""
    config = checkpoint.family_config(family)
    names = sorted({name.split(".", 3)[-1] for name, _ in checkpoint.list_tensors(config)
                    if quantise.is_quantised(name, checkpoint.families()[family])
                    and ".experts." not in name and "kv_b_proj" not in name})
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.write_checkpoint(family, folder, cases.SEED)
        model, half = reference.load(folder), reference.load(folder, torch.bfloat16)
    entries = {}
    for name in QUANTISED_CASES:
        case = json.loads((checkpoint.HERE / "ids" / f"{family}-{name}.json").read_text())
        exact = run_quantised(model, names, case)
        # Codes turn rounding to bf16 into steps of 6 %: margins have to be as much wider, and fewer rows are clear.
        entries[name] = describe(config, exact, run_quantised(half, names, case), exact, fewest=1 / 5)
        np.save(checkpoint.HERE / "logits" / f"{family}-{name}-w8a8.npy", exact.logits)
        shift = error_of(exact.logits, np.load(checkpoint.HERE / "logits" / f"{family}-{name}.npy"))
        entry = entries[name]
        print(f"{family:16} {name:8} rows {len(entry['clear']):3}  clear {sum(entry['clear']):3}  firm {sum(entry['firm']):3}"
              f"  bf16 error {entry['bf16_error']:.4f}  from w8a16 {shift:.4f}", flush=True)
    return entries


def lines_of(families):
    """One line per case, so that a change of one golden is a change of one line."""
    text = []
    for family in sorted(families):
        lines = [f'   "{name}": {json.dumps(families[family][name])}' for name in cases.CASES if name in families[family]]
        text.append(f'  "{family}": {{\n' + ",\n".join(lines) + "\n  }")
    return ",\n".join(text)


def write_manifest(goldens, quantised):
    versions = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
                "numpy": np.__version__, "safetensors": safetensors.__version__}
    text = (f'{{\n "seed": {cases.SEED},\n "versions": {json.dumps(versions)},\n "families": {{\n{lines_of(goldens)}\n }},\n'
            f' "{criterion.W8A8}": {{\n{lines_of(quantised)}\n }}\n}}\n')
    (checkpoint.HERE / "goldens.json").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="*", default=sorted(checkpoint.families()))
    parser.add_argument("--w8a8", action="store_true", help="only the goldens of quantised activations")
    args = parser.parse_args()
    for folder in ("ids", "logits"):
        (checkpoint.HERE / folder).mkdir(exist_ok=True)
    manifest = checkpoint.HERE / "goldens.json"
    stored = json.loads(manifest.read_text()) if manifest.exists() else {}
    goldens, quantised = stored.get("families", {}), stored.get(criterion.W8A8, {})
    for family in [] if args.w8a8 else args.family:
        goldens[family] = generate_family(family)
        write_manifest(goldens, quantised)
    for family in set(QUANTISED_FAMILIES) & set(args.family):
        quantised[family] = generate_quantised(family)
        write_manifest(goldens, quantised)


if __name__ == "__main__":
    main()
