"""The API by property, from its own OpenAPI document: whatever is sent to an endpoint, valid or not, with or without a key,
the answer is one that the document describes, and no server error.

    API_BINARY   bowerbird
    API_CASES    cases an endpoint, half of them invalid: with every scope, and without a key (200); of other keys a fifth
"""
import collections
import os
import re
import subprocess
import sys
import tempfile
import time

import hypothesis
import requests
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
        self.fill()

    def fill(self):
        """A small catalog, some users, a model and a snapshot."""
        headers = {"Authorization": f"Bearer {self.keys['collect,serve,admin']}"}
        items = [{"id": f"i{n}", "title": f"Item {n}", "categories": [f"c{n % 3}"], "price": n} for n in range(ITEMS)]
        events = [{"type": "click", "user": f"u{n % 7}", "item": f"i{n * n % ITEMS}"} for n in range(200)]
        for path, body in (("/v1/items:batch", {"upsert": items}), ("/v1/events", {"events": events}),
                           ("/v1/jobs/train-cf", {"factors": 4, "epochs": 2}), ("/v1/jobs/index-build", None)):
            answer = requests.post(self.url + path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text

    def run(self, *args):
        return subprocess.run([BINARY, *args], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()

    def key(self, scopes):
        said = self.run("keys", "create", "--name", "k", "--scopes", scopes, "--dir", self.folder.name)
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


def make_real(case, number, keep_credentials):
    """What is generated knows no name of this world: every second case gets some, so that it comes further."""
    if not keep_credentials:
        for name in [name for name in case.headers or {} if name.lower() == "authorization"]:
            del case.headers[name]
    if number % 2:
        return
    for name in case.path_parameters or {}:
        # Some items stay: not all are deleted or withdrawn.
        item = number % 10 if case.operation.path.endswith("withdraw") or case.operation.method == "delete" else number % ITEMS
        known = {"id": f"u{number % 7}" if "/users/" in case.operation.path else f"i{item}", "name": "board"}
        case.path_parameters[name] = known.get(name, case.path_parameters[name])
    if not isinstance(case.body, dict):
        return
    body = case.body
    if case.operation.path == "/v1/events" and isinstance(body.get("events"), list):
        for event in body["events"]:
            if isinstance(event, dict):
                event.update(type=("click", "hide", "save", "impression")[number // 2 % 4], user=f"u{number % 7}")
                event.update(item=f"i{number % ITEMS}")
    if case.operation.path in ("/v1/recommend", "/v1/rank"):
        body.update(surface=("home", "related")[number // 2 % 2], user=f"u{number % 7}")
        for name, value in (("item", f"i{number % ITEMS}"), ("items", [f"i{n}" for n in range(number % 9)])):
            if name in body:
                body[name] = value
        for name in ("cursor", "filter", "rules", "context"):
            if number % 8:
                body.pop(name, None)
        if number % 16 and isinstance(body.get("n"), int) and not 0 <= body["n"] <= 200:
            body["n"] = number % 200


def run_operation(operation, mode, cases, headers, counts):
    """At least `cases` calls; where there are fewer different ones (no parameters), they are repeated."""
    calls = 0
    last = []

    def call(case):
        nonlocal calls
        make_real(case, calls, keep_credentials=calls % 8 == 1)
        bound_training(case)
        response = case.call(headers=headers)
        calls += 1
        counts[response.status_code] += 1
        last[:] = [case]
        # Whoever gives a request a millisecond is told that it was not enough, once it has passed.
        timeout_ms = case.body.get("timeout_ms") if isinstance(case.body, dict) else None
        too_short = (response.status_code == 504 and isinstance(timeout_ms, int) and timeout_ms > 0
                     and response.elapsed * 1000 >= timeout_ms)
        checks = [check for check in CHECKS if not (too_short and check is not_a_server_error)]
        case.validate_response(response, checks=checks, headers=headers)

    try:
        strategy = operation.as_strategy(generation_mode=mode)
        runs = hypothesis.settings(max_examples=cases, deadline=None, database=None, derandomize=True,
                                   suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate])
        hypothesis.given(case=strategy)(runs(lambda case: call(case)))()
    except (schemathesis.errors.SchemathesisError, hypothesis.errors.Unsatisfiable):
        return 0  # no such data: an endpoint without input has no invalid one
    while last and calls < cases:
        call(last[0])
    return calls


def main():
    failures = []
    for name, open_on_loopback, scopes, wanted in (
            ("every scope", False, "collect,serve,admin", CASES), ("no key", True, None, CASES),
            ("scope serve", False, "serve", CASES // 5), ("no key where one is needed", False, None, CASES // 5)):
        server = Server(open_on_loopback)
        headers = {"Authorization": f"Bearer {server.keys[scopes]}"} if scopes else {}
        schema = schemathesis.openapi.from_url(server.url + "/openapi.json")
        print(f"== {name}", flush=True)
        for result in schema.get_all_operations():
            operation = result.ok()
            counts, calls, start = collections.Counter(), 0, time.time()
            for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
                try:  # an endpoint without input has no invalid one
                    cases = wanted // 2 if mode == GenerationMode.NEGATIVE else wanted - calls
                    calls += run_operation(operation, mode, cases, headers, counts)
                except Exception as failure:  # an answer that does not keep the document; the other endpoints go on
                    failures.append(f"{name}: {operation.method.upper()} {operation.path} ({mode.value}): {failure}")
                    print(failures[-1], flush=True)
            print(f"{operation.method.upper():6} {operation.path:40} {calls:5} cases {time.time() - start:6.1f} s  "
                  f"{dict(sorted(counts.items()))}", flush=True)
            if calls < wanted and not failures:
                failures.append(f"{name}: {operation.path}: {calls} cases; at least {wanted} are wanted")
        if server.stop() != 0:
            failures.append(f"{name}: the server did not end cleanly")
    print(f"{len(failures)} failures")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
