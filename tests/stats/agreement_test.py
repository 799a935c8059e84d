"""The module experiment/stats beside SciPy, statsmodels and GrowthBook's gbstats: the same made-up data, the same figures.

    STATS_CASES    the program that answers cases with the module (stats_cases.cc)
    STATS_ROUNDS   cases of each method (25)
    STATS_SEED     of the data (1)
"""
import collections
import json
import os
import subprocess
import sys

import numpy

import reference

ROUNDS = int(os.environ.get("STATS_ROUNDS", "25"))
SEED = int(os.environ.get("STATS_SEED", "1"))
RELATIVE_ERROR_MAX = 1e-6


def main():
    rng = numpy.random.default_rng(SEED)
    cases = [(method, *draw(rng)) for method, draw in reference.METHODS.items() for _ in range(ROUNDS)]
    lines = "".join(json.dumps({"method": method, **asked}) + "\n" for method, asked, _ in cases)
    said = subprocess.run([os.environ["STATS_CASES"]], input=lines, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    assert len(said) == len(cases), f"{len(said)} answers to {len(cases)} cases"
    worst, figures, wrong = collections.Counter(), collections.Counter(), 0
    for (method, asked, expected), answer in zip(cases, map(json.loads, said)):
        if isinstance(answer, str):
            wrong += 1
            print(f"{method}: {answer}\n  asked {str(asked)[:500]}")
            continue
        for name, place, value, least in expected:
            error = abs(answer[place] - value) / max(abs(value), least)
            figures[method] += 1
            worst[method] = max(worst[method], error)
            if not error <= RELATIVE_ERROR_MAX:
                wrong += 1
                print(f"{method}: {name} is {answer[place]!r}; expected {value!r}\n  asked {str(asked)[:500]}")
    for method in reference.METHODS:
        print(f"{method:<24}{ROUNDS} cases, {figures[method]} figures, largest relative error {worst[method]:.1e}")
    print(f"{sum(figures.values())} figures of {len(cases)} cases compared, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
