"""Packs what prepare.py made into archives no larger than a limit, each of which runs by itself once unpacked.

    python archive.py OUT DIR [--limit 34MB]      DIR/1.tar.gz, DIR/2.tar.gz, ..

Each holds programs, scripts and expectations, and some of the artifacts; one of them also holds kernels/. Equal files (weights
that several profiles share) are stored once, as hard links. On the other machine: tar xzf 1.tar.gz && gpu/tests/gpu/run
"""
import argparse
import collections
import gzip
import hashlib
import io
import pathlib
import re
import sys
import tarfile

TOP = "gpu"  # the folder inside an archive
UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def size_of(text):
    """Bytes of '34MB', '32MiB', '1000'."""
    found = re.fullmatch(r"(\d+) ?(\w*)", text)
    if not found or found[2] not in UNITS:
        raise argparse.ArgumentTypeError(f"'{text}' is no size: write it as 34MB or 32MiB")
    return int(found[1]) * UNITS[found[2]]


def files_of(folder):
    """{file: hash of its bytes}"""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


class Packed:
    """What a file takes in an archive: measured once per content."""

    def __init__(self):
        self.sizes = {}

    def size(self, path, digest):
        if digest not in self.sizes:
            self.sizes[digest] = len(gzip.compress(path.read_bytes(), 6))
        return self.sizes[digest]

    def total(self, files, known=()):
        """Bytes of `files` {path: hash}, those in `known` being stored already; a header is some 200 bytes."""
        new = {digest: path for path, digest in files.items() if digest not in known}
        return sum(self.size(path, digest) for digest, path in new.items()) + 200 * len(files)


def group(artifacts, packed, room):
    """First fit, in order of names, so that profiles of a family share an archive: [[(files)]], `room` bytes each."""
    groups = []
    for name, files in artifacts.items():
        if packed.total(files) > room:
            sys.exit(f"archive.py: {name} takes {packed.total(files)} bytes, {room} are left in an archive: raise --limit")
        fitting = next((g for g in groups if g["bytes"] + packed.total(files, g["known"]) <= room), None)
        if fitting is None:
            groups.append(fitting := {"bytes": 0, "known": set(), "files": {}, "names": []})
        fitting["bytes"] += packed.total(files, fitting["known"])
        fitting["known"] |= set(files.values())
        fitting["files"] |= files
        fitting["names"].append(name)
    return groups


def write(path, root, files):
    """`files` {path: hash} below TOP; the second and later of equal files as hard links to the first."""
    first = {}
    with tarfile.open(path, "w:gz", compresslevel=6) as tar:
        for file, digest in files.items():
            info = tarfile.TarInfo(f"{TOP}/{file.relative_to(root)}")
            info.mode = file.stat().st_mode & 0o777
            if digest in first and file.stat().st_size:
                info.type, info.linkname = tarfile.LNKTYPE, first[digest]
                tar.addfile(info)
                continue
            first[digest] = info.name
            content = file.read_bytes()
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def pack(out, folder, limit):
    common, artifacts = {}, collections.defaultdict(dict)
    for path, digest in files_of(out).items():
        parts = path.relative_to(out).parts
        if parts[0] == "artifacts":
            artifacts[parts[1]][path] = digest
        elif parts[0] == "kernels":
            artifacts["kernels"][path] = digest
        else:
            common[path] = digest
    packed = Packed()
    groups = group(artifacts, packed, int(limit * 0.99) - packed.total(common))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9]*.tar.gz"):
        old.unlink()
    for number, part in enumerate(groups, 1):
        path = folder / f"{number}.tar.gz"
        write(path, out, common | part["files"])
        size = path.stat().st_size
        print(f"{path}: {size / 1e6:.1f} MB: {', '.join(part['names'])}")
        if size > limit:
            sys.exit(f"archive.py: {path} has {size} bytes, more than the limit of {limit}: give a smaller --limit")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=size_of, default="34MB")
    args = parser.parse_args()
    pack(args.out, args.folder, args.limit)


if __name__ == "__main__":
    main()
