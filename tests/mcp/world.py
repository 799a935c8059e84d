"""The fixed world: its lines as plain data, a folder that is served with it, and what its questions must be answered."""
import collections
import json
import pathlib
import statistics
import subprocess
import urllib.request
from datetime import datetime, timezone

HERE = pathlib.Path(__file__).parent
# A folder's secret makes its users' masks: this one makes those of questions.json.
SECRET = b"bowerbird-secret-1\n" + bytes(range(48))
HOME, RELATED, SHOWN = 30, 10, 10
REPEATED = 25  # events that a client sent twice


def read(path):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {kind: [line[kind] for line in lines if kind in line] for kind in ("item", "user", "event")}


def call(host, method, path, body=None, key=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(host + path, data=data, method=method, headers=headers)) as answer:
        return json.load(answer)


def make_folder(bowerbird, folder):
    subprocess.run([bowerbird, "init", "--dir", folder], check=True, capture_output=True)
    app = pathlib.Path(folder) / "apps/default"
    (app / "bowerbird.toml").write_text((HERE / "bowerbird.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (app / "secret").write_bytes(SECRET)
    (app / "secret").chmod(0o600)


def fill(host, world):
    call(host, "POST", "/v1/items:batch", {"upsert": world["item"]})
    for user in world["user"]:
        call(host, "PUT", f"/v1/users/{user['id']}", {"attributes": user["attributes"]})
    events = world["event"] + world["event"][:REPEATED]
    for first in range(0, len(events), 1000):
        answer = call(host, "POST", "/v1/events?history=true", {"events": events[first : first + 1000]})
        assert answer["accepted"] == len(events[first : first + 1000]), answer
    call(host, "POST", "/v1/jobs/index-build", {})
    for number in range(HOME):
        call(host, "POST", "/v1/recommend", {"surface": "home", "user": world["user"][number]["id"], "n": SHOWN})
    for number in range(RELATED):
        asked = {"surface": "related", "user": world["user"][number]["id"], "item": world["item"][number]["id"], "n": SHOWN}
        call(host, "POST", "/v1/recommend", asked)


# --- Masks, told once more -----------------------------------------------------------------------------------------------


def siphash(key, data):
    """SipHash-2-4 (Aumasson and Bernstein 2012)."""
    mask = (1 << 64) - 1
    k0, k1 = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(x, bits):
        return ((x << bits) | (x >> (64 - bits))) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def masked(user):
    seed = SECRET[19:35]
    mask_seed = b"".join(siphash(seed, b"\xffmask/" + digit).to_bytes(8, "little") for digit in (b"0", b"1"))
    return f"user_{siphash(mask_seed, user.encode()):016x}"


# --- What is true of the world -------------------------------------------------------------------------------------------


def moment(event):
    return datetime.fromtimestamp(event["event_time_us"] // 1_000_000, timezone.utc)


def most(counter):
    """The commonest; of equals the first by name."""
    return min(counter.items(), key=lambda entry: (-entry[1], entry[0]))[0]


def truths(world):
    """The answer of each question that is about the world, computed without Bowerbird."""
    items = {item["id"]: item for item in world["item"]}
    rows = world["event"] + world["event"][:REPEATED]  # a repeat is a row of its own
    events = world["event"]
    of = {type_: [event for event in events if event["type"] == type_] for type_ in {event["type"] for event in events}}
    clicks, impressions, saves, purchases = of["click"], of["impression"], of["save"], of["purchase"]
    prices = {item["id"]: item["price"] for item in world["item"] if "price" in item}
    by_user = collections.Counter(event["user"] for event in events)
    saved_by = collections.Counter(event["user"] for event in saves)

    def rate(kind, domain):
        wanted = [event for event in of[kind] if items[event["item"]]["domain"] == domain]
        return len(wanted) / sum(items[event["item"]]["domain"] == domain for event in impressions)

    return {
        "rows": len(rows),
        "actions": len(events),
        "repeats": REPEATED,
        "clicks": len(clicks),
        "impressions": len(impressions),
        "users_active": len(by_user),
        "items_clicked": len({event["item"] for event in clicks}),
        "click_rate": len(clicks) / len(impressions),
        "revenue": sum(event["value"] for event in purchases),
        "item_most_saved": most(collections.Counter(event["item"] for event in saves)),
        "topic_most_clicked": most(collections.Counter(items[event["item"]]["categories"][0] for event in clicks)),
        "closeup_seconds_mean": statistics.fmean(event["dwell_ms"] for event in of["closeup"]) / 1000,
        "impression_ms_median": statistics.median(event["dwell_ms"] for event in impressions if "dwell_ms" in event),
        "busiest_day": most(collections.Counter(str(moment(event).date()) for event in events)),
        "users_on_may_20": len({event["user"] for event in events if str(moment(event).date()) == "2026-05-20"}),
        "click_hour": most(collections.Counter(moment(event).hour for event in clicks)),
        "products": sum(item["domain"] == "product" for item in world["item"]),
        "price_mean": statistics.fmean(prices.values()),
        "dearest": most(prices),
        "creators": len({item["attributes"]["creator"] for item in world["item"]}),
        "items_before_2026": sum(item["created_time_us"] < 1_767_225_600_000_000 for item in world["item"]),
        "items_never_clicked": len(items.keys() - {event["item"] for event in clicks}),
        "top_3_share": sum(event["position"] <= 3 for event in impressions) / len(impressions),
        "buyers": len({event["user"] for event in purchases}),
        "events_of_busiest": max(by_user.values()),
        "best_saver": masked(most(saved_by)) if list(saved_by.values()).count(max(saved_by.values())) == 1 else None,
        "weekend_click_share": sum(moment(event).weekday() >= 5 for event in clicks) / len(clicks),
        "events_per_user": len(events) / len(by_user),
        "users_told": len(world["user"]),
        "style_most_hidden": most(collections.Counter(items[event["item"]]["attributes"]["style"] for event in of["hide"])),
        "save_rate_gap": rate("save", "product") - rate("save", "organic"),
        "pages": len({event["request_id"] for event in events}),
        "silent_users": len({user["id"] for user in world["user"]} - by_user.keys()),
        "answers_home": HOME,
        "items_shown": (HOME + RELATED) * SHOWN,
        "items": len(items),
        "busiest_impressions": sum(event["user"] == most(by_user) for event in impressions),
    }
