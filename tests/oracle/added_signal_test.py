"""Signals that are added to the config of a running demo: their history is there when they are, their values are what SQL over the lake says,
and the demo goes on meanwhile. docs/guides/signals.md has the same commands.

    ADDED_USERS, ADDED_DAYS   of the demo's world (300, 8)
"""
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from served import BINARY, Client, Gone

USERS, DAYS = os.environ.get("ADDED_USERS", "300"), os.environ.get("ADDED_DAYS", "8")
WEEK_US = 7 * 86_400_000_000
HALF_LIFE_US = 3 * 86_400_000_000
ADDED = """
[signals.clicks_week]
kind = "count"
on = ["click"]
window = "7d"
[signals.strength]
kind = "decayed_sum"
on = ["click", "closeup", "save", "purchase"]
half_life = "3d"
[signals.strength_by_category]
kind = "decayed_sum"
by = "item.category"
on = ["click", "closeup", "save", "purchase"]
half_life = "3d"
top = 200
[signals.items_shown]
kind = "distinct"
of = "item.id"
on = ["impression"]
[signals.item_clicks_week]
per = "item"
kind = "count"
on = ["click"]
window = "7d"
[signals.item_strength]
per = "item"
kind = "decayed_sum"
on = ["click", "closeup", "save", "purchase"]
half_life = "3d"
[signals.item_clickers]
per = "item"
kind = "distinct"
of = "event.user"
on = ["click"]
"""
# Each event once; a clock that was ahead counts when the event arrived. The weights are those of the demo's config.
ONCE = """with once as (
  select e.user, any_value(e.type) as type, any_value(e.item) as item, any_value(e.item_categories) as categories,
    any_value(least(epoch_us(e.event_time), epoch_us(e.receive_time))) as us
  from events e group by e.user, coalesce(e.client_id, e.partition || '/' || e."offset")),
weighed as (
  select o.*, case o.type when 'click' then 1.0 when 'closeup' then 1.0 when 'save' then 3.0 when 'purchase' then 4.0 else 0.0 end
    * pow(2.0, (o.us - {now})::double / {half_life}) as worth from once o) """
BY_USER = ONCE + """select w.user, count(*),
  count(*) filter (w.type = 'click' and w.us // {width} between {now} // {width} - 47 and {now} // {width}),
  sum(w.worth) filter (w.type in ('click', 'closeup', 'save', 'purchase')),
  count(distinct w.item) filter (w.type = 'impression')
from weighed w group by 1"""
BY_ITEM = ONCE + """select w.item, count(*),
  count(*) filter (w.type = 'click' and w.us // {width} between {now} // {width} - 47 and {now} // {width}),
  sum(w.worth) filter (w.type in ('click', 'closeup', 'save', 'purchase')),
  count(distinct w.user) filter (w.type = 'click')
from weighed w where w.item is not null group by 1"""
BY_CATEGORY = ONCE + """, each as (select w.user, w.worth, w.type, unnest(list_distinct(w.categories)) as category from weighed w)
select c.user, c.category, sum(c.worth) from each c where c.type in ('click', 'closeup', 'save', 'purchase') group by 1, 2"""


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([BINARY, "demo", "--dir", folder, "--port", "0", "--users", USERS, "--days", DAYS, "--items", "800"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/demo/", line):
                self.port = int(found.group(1))
                return
        raise AssertionError(f"the demo ended with {self.process.wait()}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(120)
        self.process.stdout.close()


class Prober(threading.Thread):
    """Asks for a profile again and again: when it was answered with what."""

    def __init__(self, port, user):
        super().__init__(daemon=True)
        self.port, self.user, self.stopping, self.answers = port, user, threading.Event(), []

    def run(self):
        client = Client(self.port)
        while not self.stopping.is_set():
            try:
                answer = client.call("GET", f"/v1/users/{self.user}/profile")
                names = {s["name"] for s in answer.json()["signals"]} if answer.status == 200 else set()
                self.answers.append((time.monotonic(), answer.status, "clicks_week" in names))
            except Gone:
                self.answers.append((time.monotonic(), 0, False))
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        self.join()

    def longest_gap_s(self):
        answered = [at for at, status, _ in self.answers if status == 200]
        return max(after - before for before, after in zip(answered, answered[1:]))


def run(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"bowerbird {' '.join(args)}: {done.stdout}{done.stderr}")
    return done.stdout


class AddedSignalTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="bowerbird-added-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name + "/data"
        self.demo = Demo(self.folder)
        self.addCleanup(self.demo.stop)

    def sql(self, text, now_us):
        text = text.format(now=now_us, half_life=HALF_LIFE_US, width=WEEK_US // 48)
        return json.loads(run("lake", "sql", text, "--json", "--dir", self.folder))["rows"]

    def compare(self):
        """Every user who did nothing meanwhile: the profile's values beside SQL's. How many users and values were compared."""
        client, users, values = Client(self.demo.port), 0, 0
        now_us = time.time_ns() // 1000
        before = {row[0]: row[1:] for row in self.sql(BY_USER, now_us)}
        by_category = {}
        for user, category, worth in self.sql(BY_CATEGORY, now_us):
            by_category.setdefault(user, {})[category] = worth
        profiles = {user: client.call("GET", f"/v1/users/{user}/profile").json() for user in before}
        after = {row[0]: row[1] for row in self.sql(BY_USER, now_us)}
        for user, (events, clicks, worth, shown) in before.items():
            at_us = profiles[user]["time_us"]
            if after[user] != events or at_us // (WEEK_US // 48) != now_us // (WEEK_US // 48):
                continue
            said = {s["name"]: s for s in profiles[user]["signals"]}
            faded = 2.0 ** (-(at_us - now_us) / HALF_LIFE_US)
            self.assertEqual(said["clicks_week"].get("number", 0), clicks, user)
            if worth is not None:
                self.assertAlmostEqual(said["strength"]["number"] / (worth * faded), 1, delta=1e-9, msg=user)
            keys = {key["key"]: key["number"] for key in said["strength_by_category"].get("keys", [])}
            due = by_category.get(user, {})
            self.assertEqual(set(keys), set(due), user)
            for category, number in keys.items():
                self.assertAlmostEqual(number / (due[category] * faded), 1, delta=1e-9, msg=f"{user} {category}")
            items = said["items_shown"].get("number", 0)
            self.assertLessEqual(abs(items - shown), 0 if shown <= 256 else 5 * 0.023 * shown, user)
            users, values = users + 1, values + 3 + len(keys)
        self.assertGreater(users, 0.8 * len(before))
        return users, values

    def compare_items(self):
        """The same of every item on which nothing was done meanwhile: signals per item beside SQL's."""
        client, items, values = Client(self.demo.port), 0, 0
        signals = lambda item: client.call("GET", f"/v1/items/{item}/signals").json()
        now_us = time.time_ns() // 1000
        before = {row[0]: row[1:] for row in self.sql(BY_ITEM, now_us)}
        # A table that has all that SQL saw: what is acknowledged is folded within a second.
        some, seen_us, until = next(iter(before)), time.time_ns() // 1000, time.monotonic() + 120
        while signals(some)["table_time_us"] < seen_us + 1_000_000:
            self.assertLess(time.monotonic(), until, "no table was published")
            time.sleep(0.2)
        shown = {item: signals(item) for item in before}
        after = {row[0]: row[1] for row in self.sql(BY_ITEM, now_us)}
        for item, (events, clicks, worth, clickers) in before.items():
            at_us = shown[item]["time_us"]
            if after[item] != events or at_us // (WEEK_US // 48) != now_us // (WEEK_US // 48):
                continue
            said = {s["name"]: s.get("number", 0) for s in shown[item]["signals"]}
            self.assertEqual(said["item_clicks_week"], clicks, item)
            self.assertLessEqual(abs(said["item_clickers"] - clickers), 0 if clickers <= 256 else 5 * 0.023 * clickers, item)
            if worth is not None:
                faded = 2.0 ** (-(at_us - now_us) / HALF_LIFE_US)
                self.assertAlmostEqual(said["item_strength"] / (worth * faded), 1, delta=1e-9, msg=item)
            items, values = items + 1, values + 3
        self.assertGreater(items, 0.3 * len(before))
        return items, values

    def test_is_backfilled_live_and_what_sql_says(self):
        with open(self.folder + "/apps/default/bowerbird.toml", "a") as config:
            config.write(ADDED)
        user = self.sql("select e.user from events e limit 1", 0)[0][0]
        prober = Prober(self.demo.port, user)
        prober.start()
        time.sleep(0.5)
        begin = time.monotonic()
        said = run("config", "reload", "--app", "default", "--reopen", "--dir", self.folder)
        took_s = time.monotonic() - begin
        self.assertIn("is in force", said)
        time.sleep(0.5)
        prober.stop()
        # Never the new signals and then the former ones; unavailable at most between the two.
        states = [has for _, status, has in prober.answers if status == 200]
        self.assertEqual(states, sorted(states))
        self.assertFalse(states[0])
        self.assertTrue(states[-1])
        self.assertEqual({status for _, status, _ in prober.answers} - {200, 503, 0}, set())
        for _ in range(2):  # with the history; and again when more has happened
            users, values = self.compare()
            items, item_values = self.compare_items()
            time.sleep(2)
        events = sum(row[1] for row in self.sql(BY_USER, 0))
        refused = sum(status != 200 for _, status, _ in prober.answers)
        print(f"{events} events of {USERS} users; the reload took {took_s:.2f} s, and the longest time without an answer was "
              f"{prober.longest_gap_s():.2f} s ({refused} requests refused); {values} values of {users} users and {item_values} of {items} items equal to SQL's")
        self.demo.stop()
        self.assertIn(": 0 differences", run("state", "verify", "--dir", self.folder))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
