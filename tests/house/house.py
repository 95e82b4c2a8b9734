"""The rules of the house that a script can keep. Usage: house.py SOURCE_FOLDER [BIN_FOLDER]"""
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
bin_folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
failures = 0

TOP_LEVEL = {"CMakeLists.txt", "README.md", "LICENSE", "compiler", "runtime", "dialects", "passes", "server", "tests",
             "examples"}
LEAN = ["kimi-serve", "kimi-run", "kimi-text", "kimi-inspect", "kimi-bench"]
# What every Debian 12 has: libc, libstdc++ and what belongs to them.
SYSTEM_LIBRARIES = re.compile(r"linux-vdso|ld-linux|lib(c|m|stdc\+\+|gcc_s|pthread|dl|rt)\.so")


def check(rule, offences):
    global failures
    failures += bool(offences)
    print(f"{'FAILED' if offences else 'ok    '} {rule}")
    for offence in offences[:10]:
        print(f"         {offence}")


def tracked():
    out = subprocess.run(["git", "-C", str(source), "ls-files"], capture_output=True, text=True)
    if out.returncode == 0 and out.stdout:
        return [source / line for line in out.stdout.splitlines() if (source / line).exists()]
    return [p for p in source.rglob("*") if p.is_file() and not p.relative_to(source).parts[0].startswith(("build", "."))]


def matches(files, pattern):
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(source)}:{number}: {line.strip()[:90]}")
    return found


def code(files, *folders, endings=(".cpp", ".h")):
    return [p for p in files if p.suffix in endings and
            any(str(p.relative_to(source)).startswith(folder) for folder in folders)]


def dynamic_libraries(program):
    out = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return [f"{program.name}: {line.split()[0]}" for line in out.splitlines() if line.strip()
            and not SYSTEM_LIBRARIES.search(line)]


files = tracked()
top = {p.relative_to(source).parts[0] for p in files}
check("the top level is fixed", sorted(t for t in top if t not in TOP_LEVEL and not t.startswith(".")))
lean = code(files, "runtime/", "server/")
check("runtime and server include nothing of LLVM or MLIR", matches(lean, r'#include [<"](mlir|llvm|lld)/'))
check("runtime and server include nothing of the compiler",
      matches(lean, r'#include "(compiler|passes|dialects)/'))
check("the compiler shares only the schema with the runtime",
      matches(code(files, "compiler/", "passes/", "dialects/"), r'#include "(server|runtime/(?!schema))'))
check("the scheduler knows neither sockets nor CUDA",
      matches(code(files, "server/schedule/"), r"#include.*(boost/(asio|beast)|cuda|sys/socket)"))
check("no model mathematics in runtime or server",
      matches(lean, r"std::(exp|log|sqrt|tanh|pow|sin|cos)f?\(|softmax\("))
check("only codegen passes write machine code", matches(
    [p for p in code(files, "compiler/", "passes/", "dialects/") if "passes/codegen" not in str(p)],
    r"TargetMachine|lldMain"))
check("no unfinished marks", matches(code(files, "compiler/", "passes/", "dialects/", "runtime/", "server/"),
                                     r"\b(TODO|FIXME|XXX|HACK)\b"))
if bin_folder:
    programs = [bin_folder / name for name in LEAN]
    check("the lean programs are there", [p.name for p in programs if not p.exists()])
    check("the lean programs link nothing dynamic but libc and libstdc++",
          [line for p in programs if p.exists() for line in dynamic_libraries(p)])
sys.exit(failures != 0)
