"""Sends messages.json by the published client for Python. usage: python send.py HOST WRITE_KEY WHO"""
import json
import pathlib
import sys
from datetime import datetime

from segment.analytics.client import Client

NAMES = {"userId": "user_id", "anonymousId": "anonymous_id", "messageId": "message_id", "groupId": "group_id", "previousId": "previous_id"}

host, write_key, who = sys.argv[1:]
failures = []
client = Client(write_key, host=host, gzip=True, upload_size=5, max_retries=2, on_error=lambda error, batch: failures.append(error))
text = (pathlib.Path(__file__).parent / "messages.json").read_text(encoding="utf-8").replace("{who}", who)
for message in json.loads(text):
    call = getattr(client, message.pop("call"))
    fields = {NAMES.get(name, name): value for name, value in message.items()}
    fields["timestamp"] = datetime.fromisoformat(fields["timestamp"])
    call(**fields)
client.shutdown()
for failure in failures:
    print("error", failure, file=sys.stderr)
sys.exit(1 if failures else 0)
