#!/usr/bin/env python3
"""Runs clang-tidy over the project's sources, two at a time, remembering by content what passed.

Usage: tidy.py BUILD_DIR [FILE...]. The memory is ~/.cache/bowerbird-tidy-passed: one hash a line of (the file, every project header
it includes, .clang-tidy), so that a change of any of them is looked at again. Files are read without what the build precompiles:
one that lacks an include is refused here.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PRECOMPILED = re.compile(r"-Winvalid-pch|-fpch-preprocess|-include \S*cmake_pch\.hxx")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
ROOT = pathlib.Path(__file__).resolve().parent.parent


def closure(path, seen):
    if path in seen or not path.exists():
        return
    seen.add(path)
    for name in INCLUDE.findall(path.read_text(errors="replace")):
        for base in (ROOT / "src", ROOT / "tests", path.parent):
            closure(base / name, seen)


def fingerprint(path):
    files = set()
    closure(path, files)
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main():
    build = pathlib.Path(sys.argv[1])
    wanted = [str(pathlib.Path(f).resolve()) for f in sys.argv[2:]]
    commands = json.loads((build / "compile_commands.json").read_text())
    files = sorted({c["file"] for c in commands if str(ROOT / "build") not in c["file"]})
    files = [f for f in files if not wanted or f in wanted]
    memory = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "bowerbird-tidy-passed"
    memory.parent.mkdir(parents=True, exist_ok=True)
    passed = set(memory.read_text().split()) if memory.exists() else set()
    prints = {f: fingerprint(pathlib.Path(f)) for f in files}
    todo = [f for f in files if prints[f] not in passed]
    print(f"clang-tidy: {len(todo)} of {len(files)} files")

    plain = tempfile.TemporaryDirectory()
    for command in commands:
        command["command"] = PRECOMPILED.sub("", command["command"])
    (pathlib.Path(plain.name) / "compile_commands.json").write_text(json.dumps(commands))

    def run(file):
        command = ["clang-tidy-16", "-p", plain.name, "--quiet", "--extra-arg=-Wno-unknown-warning-option", file]
        return file, subprocess.run(command, capture_output=True, text=True)

    failed = False
    with concurrent.futures.ThreadPoolExecutor(2) as pool, memory.open("a") as out:
        for file, result in pool.map(run, todo):
            if result.returncode == 0:
                out.write(prints[file] + "\n")
                out.flush()
            else:
                failed = True
                print(result.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
