#!/usr/bin/env python3
"""Runs the compiler on a header that is to be precompiled and writes beside the outcome what it was made of, as X.gch.sum.

ccache then knows a precompiled header by that (pch_external_checksum) and not by its bytes: it need not read 150 MB for each
file that is compiled, and a header that was made again from the same text, in another folder too, is the same to it.

usage: precompile.py COMPILER ARGS..., with -o and -MF among them
"""
import hashlib
import os
import re
import subprocess
import sys


def value(arguments, flag):
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


def dependencies(text):
    """The paths of a depfile after its target."""
    joined = text.replace("\\\n", " ").split(":", 1)[1]
    return [path.replace("\\ ", " ") for path in re.findall(r"(?:[^\s\\]|\\ )+", joined)]


def main(command):
    status = subprocess.run(command).returncode
    output, depfile = value(command, "-o"), value(command, "-MF")
    if status != 0 or depfile is None or not output.endswith((".gch", ".pch")):
        return status
    here = os.path.abspath(os.path.dirname(output) or ".")
    said = hashlib.sha256()
    # The flags, without the folders that they name: these are where it was built.
    said.update(" ".join(word for word in command if "/" not in word).encode())
    said.update(subprocess.run([command[0], "--version"], capture_output=True, check=True).stdout)
    with open(depfile, encoding="utf-8") as file:
        paths = dependencies(file.read())
    # The header that includes the others is in another folder elsewhere.
    named = sorted(path for path in paths if not os.path.abspath(path).startswith(here))
    for path in named + sorted(set(paths) - set(named)):
        if path in named:
            said.update(path.encode())
        with open(path, "rb") as file:
            said.update(hashlib.sha256(file.read()).digest())
    with open(output + ".sum", "w", encoding="utf-8") as file:
        file.write(said.hexdigest() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
