"""Every pass has a lit file named after its flag and an error twin.

tests/passes/PHASE/FLAG.mlir for `def X : Pass<"FLAG", ..>` in passes/PHASE/Passes.td, and FLAG-invalid.mlir or an
expected error in FLAG.mlir where passes/PHASE/X.cpp has a message of its own. The prefix kimi- of the flag may be left
out. Both must run the flag.
"""
import pathlib
import re
import sys


def find(folder, flag, suffix):
    for name in (flag, flag.removeprefix("kimi-")):
        path = folder / f"{name}{suffix}.mlir"
        if path.exists():
            return path
    return None


def speaks(table, name):
    """Whether the pass can fail with words of its own."""
    source = table.parent / f"{name}.cpp"
    return not source.exists() or re.search(r"emit(Op)?Error\(", source.read_text())


def main():
    source = pathlib.Path(sys.argv[1])
    problems = count = 0
    for table in sorted(source.glob("passes/*/Passes.td")):
        folder = source / "tests" / "passes" / table.parent.name
        for name, flag in re.findall(r'^def (\w+) *: *Pass<"([\w-]+)"', table.read_text(), re.M):
            count += 1
            main_test = find(folder, flag, "")
            has_twin = main_test and "expected-error" in main_test.read_text()
            for suffix in [""] if has_twin or not speaks(table, name) else ["", "-invalid"]:
                path = find(folder, flag, suffix)
                if not path or flag not in path.read_text():
                    print(f"{table}: the pass --{flag} needs {folder / (flag + suffix)}.mlir, which runs it")
                    problems += 1
    print(f"{count} passes, {problems} problems")
    return 1 if problems or not count else 0


sys.exit(main())
