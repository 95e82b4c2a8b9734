"""python compare.py LOGITS.npy FAMILY CASE PROFILE: one row of the golden table; exit code 1 where it fails."""

import argparse
import sys

import numpy as np

import criterion


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logits", help="float32 [rows, vocab] from kimi-run --logits")
    parser.add_argument("family")
    parser.add_argument("case")
    parser.add_argument("profile", choices=["f32", *criterion.OWN.values()])
    args = parser.parse_args()
    try:
        verdict = criterion.judge(np.load(args.logits), args.family, args.case, args.profile)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"compare.py: {error}")
    print(criterion.HEADER)
    print(verdict.row())
    sys.exit(0 if verdict.passed else 1)


if __name__ == "__main__":
    main()
