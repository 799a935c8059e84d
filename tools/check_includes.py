#!/usr/bin/env python3
"""Refuses an #include that modules.txt does not allow. Usage: check_includes.py ROOT"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def read_modules(root):
    allowed = {}
    for line in (root / "modules.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, deps = line.split(":", 1)
            allowed[name.strip()] = set(deps.split())
    return allowed


def module_of(path, modules):
    """The deepest module whose folder holds `path` (relative to src/)."""
    found = [m for m in modules if path == m or path.startswith(m + "/")]
    return max(found, key=len) if found else None


def main():
    root = pathlib.Path(sys.argv[1])
    allowed = read_modules(root)
    problems = []
    for source in sorted((root / "src").rglob("*")):
        if source.suffix not in (".h", ".cc"):
            continue
        relative = source.relative_to(root / "src").as_posix()
        module = module_of(relative, allowed)
        if module is None:
            problems.append(f"{source}: its folder is not a module of modules.txt; name the folder there")
            continue
        for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            if "/" not in match[1]:
                if (source.parent / match[1]).exists():
                    problems.append(f'{source}:{number}: include "{match[1]}" by its full path from src/')
                continue
            target = "api" if match[1].startswith("bowerbird/v1/") else module_of(match[1], allowed)
            if target is None:  # a third-party header
                continue
            if target != module and target not in allowed[module]:
                problems.append(
                    f"{source}:{number}: module '{module}' may not include '{target}' (\"{match[1]}\"). "
                    f"Move the code to a module that may, or add the edge to modules.txt with an ADR."
                )
    print("\n".join(problems) if problems else "includes follow modules.txt")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
