"""The API by property, from its own OpenAPI document: whatever is sent to an endpoint, valid or not, with or without a key,
the answer is one that the document describes, and no server error.

    API_BINARY   bowerbird
    API_CASES    a case count an endpoint, kind of key and kind of data (200)
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import hypothesis
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (content_type_conformance, response_headers_conformance,
                                               response_schema_conformance, status_code_conformance)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
          response_headers_conformance]
CASES = int(os.environ.get("API_CASES", "200"))
BINARY = os.environ["API_BINARY"]
ITEMS = 30


class Server:
    def __init__(self, open_on_loopback):
        self.folder = tempfile.TemporaryDirectory(prefix="bowerbird-api-")
        self.run("init", "--dir", self.folder.name)
        with open(self.folder.name + "/server.toml", "w") as file:
            file.write(f"[server]\nopen_on_loopback = {str(open_on_loopback).lower()}\nlog_level = \"error\"\n")
        self.keys = {scopes: self.key(scopes) for scopes in ("collect,serve,admin", "serve")}
        self.process = subprocess.Popen([BINARY, "serve", "--dir", self.folder.name, "--port", "0"], stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().decode().split()[-1]

    def run(self, *args):
        return subprocess.run([BINARY, *args], check=True, stdout=subprocess.PIPE).stdout.decode()

    def key(self, scopes):
        said = self.run("key", "create", "--name", "k", "--scopes", scopes, "--dir", self.folder.name)
        return max(re.findall(r"[\w-]+", said), key=len)

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        self.folder.cleanup()
        return status


def bound_training(case):
    """A training takes as long as it is told to: here that is not long."""
    if case.operation.path == "/v1/jobs/train-cf" and isinstance(case.body, dict):
        for name in ("factors", "epochs"):
            if isinstance(case.body.get(name), int) and 4 < case.body[name] <= 4096:
                case.body[name] = 4


def run_operation(operation, mode, headers, counts):
    """At least CASES calls; where there are fewer different ones (no parameters), they are repeated."""
    label = f"{operation.method.upper()} {operation.path}"
    calls = 0
    last = []

    def call(case):
        nonlocal calls
        bound_training(case)
        response = case.call(headers=headers)
        calls += 1
        counts[response.status_code] += 1
        last[:] = [case]
        case.validate_response(response, checks=CHECKS, headers=headers)

    try:
        strategy = operation.as_strategy(generation_mode=mode)
        runs = hypothesis.settings(max_examples=CASES, deadline=None, database=None, derandomize=True,
                                   suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate])
        hypothesis.given(case=strategy)(runs(lambda case: call(case)))()
    except (schemathesis.errors.SchemathesisError, hypothesis.errors.Unsatisfiable):
        return 0  # no such data: an endpoint without input has no invalid one
    while last and calls < CASES:
        call(last[0])
    return calls


def main():
    failures = []
    for name, open_on_loopback, scopes in (("every scope", False, "collect,serve,admin"), ("scope serve", False, "serve"),
                                           ("no key, closed", False, None), ("no key, open", True, None)):
        server = Server(open_on_loopback)
        headers = {"Authorization": f"Bearer {server.keys[scopes]}"} if scopes else {}
        schema = schemathesis.openapi.from_url(server.url + "/openapi.json")
        print(f"== {name}", flush=True)
        for result in schema.get_all_operations():
            operation = result.ok()
            counts, calls, start = collections.Counter(), 0, time.time()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    calls += run_operation(operation, mode, headers, counts)
                except Exception as failure:  # an answer that does not keep the document; the other endpoints go on
                    failures.append(f"{name}: {operation.method.upper()} {operation.path} ({mode.value}): {failure}")
                    print(failures[-1], flush=True)
            print(f"{operation.method.upper():6} {operation.path:40} {calls:5} cases {time.time() - start:6.1f} s  "
                  f"{dict(sorted(counts.items()))}", flush=True)
            if calls < CASES and not failures:
                failures.append(f"{name}: {operation.path}: {calls} cases; at least {CASES} are wanted")
        if server.stop() != 0:
            failures.append(f"{name}: the server did not end cleanly")
    print(f"{len(failures)} failures")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
