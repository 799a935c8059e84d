#!/usr/bin/env python3
"""Checks that documents name things that exist. Usage: check_docs.py ROOT

- every relative link in a Markdown file points to a file;
- every `path/file.h` or `path/file.cc: Function()` named in the two walks and ARCHITECTURE.md exists, the function in that file;
- README.md names exactly the two set-up-and-go commands, ./dev demo and ./dev test.
"""
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:src|api|tests|bench|tools|docs|console|fuzz|cmake)/[\w./-]+)(?::\s*([\w:~]+)\(\))?`")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True)
    problems = []
    for name in listed.stdout.split():
        file = root / name
        if not file.exists():
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for target in LINK.findall(line):
                if "://" not in target and not target.startswith("mailto:") and not (file.parent / target).exists():
                    problems.append(f"{name}:{number}: link to '{target}', which does not exist")
            for path, function in NAMED.findall(line):
                source = root / path
                if not source.exists():
                    problems.append(f"{name}:{number}: names '{path}', which does not exist")
                elif function and not re.search(r"\b" + re.escape(function.split("::")[-1]) + r"\s*\(", source.read_text()):
                    problems.append(f"{name}:{number}: names {function}() in '{path}', which has none")
    readme = (root / "README.md").read_text()
    commands = set(re.findall(r"^\./dev (\w+)", readme, re.M))
    if commands != {"demo", "test"}:
        problems.append(f"README.md: set-up-and-go commands are {sorted(commands)}; expected exactly demo and test")
    print("\n".join(problems) if problems else "documents name what exists")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
