"""Every constraint (CN) in an operation's description has its case in tests/dialects/DIALECT/invalid.mlir.

The case is a function, or the operation's own symbol, named OP_cN (a suffix may follow: OP_cN_rank).
"""
import pathlib
import re
import sys

OPERATION = re.compile(r'^def \w+ *: *\w+<"(\w+)".*?let description = \[\{(.*?)\}\];', re.S | re.M)


def main():
    source = pathlib.Path(sys.argv[1])
    problems = count = 0
    for table in sorted(source.glob("dialects/*/*Ops.td")):
        cases = source / "tests" / "dialects" / table.parent.name / "invalid.mlir"
        text = cases.read_text() if cases.exists() else ""
        for operation, description in OPERATION.findall(table.read_text()):
            for constraint in re.findall(r"\(C(\d+)\)", description):
                count += 1
                if not re.search(rf"@{operation}_c{constraint}(?!\d)", text):
                    print(f"{cases}: (C{constraint}) of {operation} has no case @{operation}_c{constraint}")
                    problems += 1
    print(f"{count} constraints, {problems} problems")
    return 1 if problems or not count else 0


sys.exit(main())
