"""Load on a server, and the oracle: what was sent, what was acknowledged, and so what must be there."""
import collections
import random
import threading

import oracle
from served import Gone

ITEMS = 60            # known to the catalog from the start
EVENTS_A_USER = 40    # of distinct items; fewer than a profile shows
USERS_A_BATCH = 4
EVENTS_A_BATCH = 20
VERSIONED = 8         # items whose title counts up


def event_of(user, n):
    """The n-th event of a user. Its item is the user's own n-th, so that a repeat or a loss shows."""
    event = {"user": user, "item": f"i{n}", "client_id": f"{user}/{n}", "type": "click"}
    if n % 10 == 3:
        event.update(type="save", collection="board")
    elif n % 10 == 5:
        event["type"] = "impression"
    elif n % 10 == 7:
        event["type"] = "hide"
    return event


def profile_of(events):
    """What the profile of one user must show of these events, each counted once."""
    doings = oracle.Expected.told(oracle.Config(), events).answering(events[0]["user"] if events else "")
    shown = oracle.profile_of(doings, oracle.Config(), 0, {f"i{n}": () for n in range(ITEMS)})
    return {"events": shown["events"], "actions": sorted(item for _, item, _, _ in shown["sequence"]), "hidden": sorted(shown["hidden"]),
            "board": shown["collections"].get("board", 0)}


def seen_profile(body):
    return {"events": int(body["events"]), "actions": sorted(action["item"] for action in body.get("sequence", [])),
            "hidden": sorted(body.get("hidden", [])),
            "board": sum(int(c["items"]) for c in body.get("collections", []) if c["name"] == "board")}


class Oracle:
    """Thread-safe. What it says holds after every crash."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = collections.defaultdict(dict)       # user -> client id -> event
        self.acknowledged = collections.defaultdict(set)  # user -> client ids
        self.unknown = []                               # batches whose answer never came, or was a refusal
        self.titles = {}                                # versioned item -> [acknowledged, sent]
        self.fresh_users = set()                        # touched since they were last checked
        self.errors = []
        self.counts = collections.Counter()

    def sending(self, batch):
        with self.lock:
            for event in batch:
                self.sent[event["user"]][event["client_id"]] = event
                self.fresh_users.add(event["user"])

    def answered(self, batch, answer):
        with self.lock:
            if answer is None or answer.status in (429, 503):
                self.unknown.append(batch)
                self.counts["unanswered" if answer is None else "refused"] += 1
                return
            if answer.status != 200 or answer.json().get("rejected"):
                self.errors.append(f"POST /v1/events: {answer!r}")
                return
            for event in batch:
                self.acknowledged[event["user"]].add(event["client_id"])
            self.counts["batches"] += 1

    def fail(self, text):
        with self.lock:
            self.errors.append(text)

    def check_before_retry(self, client):
        """Acknowledged events are in effect; whatever else is there was sent."""
        for user in sorted(self.fresh_users):
            seen = seen_profile(client.call("GET", f"/v1/users/{user}/profile").json())
            must = profile_of([self.sent[user][key] for key in self.acknowledged[user]])
            may = profile_of(list(self.sent[user].values()))
            if len(set(seen["actions"])) != len(seen["actions"]):
                self.fail(f"{user}: an action is there twice: {seen}")
            for part in ("actions", "hidden"):
                missing, strange = set(must[part]) - set(seen[part]), set(seen[part]) - set(may[part])
                if missing:
                    self.fail(f"{user}: {part} acknowledged and lost: {sorted(missing)}")
                if strange:
                    self.fail(f"{user}: {part} never sent: {sorted(strange)}")
            if not must["events"] <= seen["events"] <= may["events"]:
                self.fail(f"{user}: {seen['events']} events in effect; {must['events']} were acknowledged, "
                          f"{may['events']} sent")
        for item, (acknowledged, sent) in self.titles.items():
            answer = client.call("GET", f"/v1/items/{item}")
            title = int(answer.json()["title"]) if answer.status == 200 else 0
            if not acknowledged <= title <= sent:
                self.fail(f"{item}: title {title}; {acknowledged} was acknowledged, {sent} sent")

    def retry(self, client):
        """As a client does: sends again what it does not know of. A server without a fault takes all of it."""
        for batch in self.unknown:
            answer = client.call("POST", "/v1/events", {"events": batch})
            if answer.status != 200 or answer.json().get("rejected"):
                self.fail(f"retry: {answer!r}")
            for event in batch:
                self.acknowledged[event["user"]].add(event["client_id"])
        self.counts["retried"] += len(self.unknown)
        self.unknown = []

    def check_after_retry(self, client):
        """Everything that was sent is in effect exactly once."""
        for user in sorted(self.fresh_users):
            seen = seen_profile(client.call("GET", f"/v1/users/{user}/profile").json())
            must = profile_of(list(self.sent[user].values()))
            if seen != must:
                self.fail(f"{user}: shows {seen}; must be {must}")
        self.counts["users checked"] += len(self.fresh_users)
        self.fresh_users = set()

    def check(self, client):
        self.check_before_retry(client)
        self.retry(client)
        self.check_after_retry(client)


def make_catalog(client):
    items = [{"id": f"i{n}", "title": f"Item {n}", "categories": [f"c{n % 3}"]} for n in range(ITEMS)]
    answer = client.call("POST", "/v1/items:batch", {"upsert": items})
    assert answer.status == 200 and answer.json()["applied"] == ITEMS, answer


class Load:
    """Writers, readers, a catalog writer and (if `jobs`) trainings, until the server is gone or stop()."""

    def __init__(self, server, oracle, name, jobs=False, writers=3, seed=0):
        self.server, self.oracle, self.name = server, oracle, name
        self.stopping = threading.Event()
        work = [lambda w=w: self._write(w) for w in range(writers)] + [self._read, self._change_items]
        if jobs:
            work.append(self._train)
        self.random = random.Random(seed)
        self.threads = [threading.Thread(target=self._until_gone, args=(f,), daemon=True) for f in work]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _until_gone(self, work):
        try:
            work()
        except Gone:
            pass
        except Exception as error:  # a bug of the test must fail it, not end one thread
            self.oracle.fail(f"{self.name}: {error!r}")

    def _write(self, writer):
        client = self.server.client()
        group = 0
        while not self.stopping.is_set():
            users = [f"{self.name}-{writer}-{group}-{u}" for u in range(USERS_A_BATCH)]
            group += 1
            each = EVENTS_A_BATCH // USERS_A_BATCH
            for first in range(0, EVENTS_A_USER, each):
                if self.stopping.is_set():
                    return
                batch = [event_of(user, n) for n in range(first, first + each) for user in users]
                self.oracle.sending(batch)
                try:
                    answer = client.call("POST", "/v1/events", {"events": batch})
                except Gone:
                    self.oracle.answered(batch, None)
                    raise
                self.oracle.answered(batch, answer)
                if answer.status == 200 and first % 3 == 0:  # a retry of what was acknowledged changes nothing
                    client.call("POST", "/v1/events", {"events": batch})

    def _read(self):
        client = self.server.client()
        while not self.stopping.is_set():
            with self.oracle.lock:
                known = list(self.oracle.fresh_users)
                user = self.random.choice(known) if known else "nobody"
                hidden = {event["item"] for key, event in self.oracle.sent[user].items()
                          if event["type"] == "hide" and key in self.oracle.acknowledged[user]} if known else set()
            answer = client.call("POST", "/v1/recommend", {"user": user, "surface": "home", "n": 20})
            if answer.status != 200:
                self.oracle.fail(f"POST /v1/recommend: {answer!r}")
                continue
            self.oracle.counts["answers"] += 1
            served = {item["id"] for item in answer.json()["items"]} & hidden
            if served:
                self.oracle.fail(f"{user}: served although hidden: {sorted(served)}")

    def _change_items(self):
        client = self.server.client()
        n = 0
        while not self.stopping.is_set():
            item = f"v{n % VERSIONED}"
            n += 1
            with self.oracle.lock:
                versions = self.oracle.titles.setdefault(item, [0, 0])
                versions[1] += 1
            answer = client.call("PUT", f"/v1/items/{item}", {"title": str(versions[1])})
            if answer.status == 200:
                versions[0] = versions[1]
            elif answer.status != 503:
                self.oracle.fail(f"PUT /v1/items/{item}: {answer!r}")

    def _train(self):
        client = self.server.client()
        while not self.stopping.is_set():
            for job, body in (("train-cf", {"factors": 8, "epochs": 1}), ("index-build", None)):
                answer = client.call("POST", f"/v1/jobs/{job}", body)
                # Nothing to learn from yet, or the server is on its way out.
                if answer.status not in (200, 409, 412, 503):
                    self.oracle.fail(f"POST /v1/jobs/{job}: {answer!r}")
