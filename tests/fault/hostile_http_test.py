"""What an attacker sends by raw sockets: smuggled requests, floods of headers, made-up cursors and ids, path tricks. Each is
refused as itself; nothing of it takes effect, and the next client is served."""
import base64
import gzip
import json
import os
import random
import re
import socket
import sys
import unittest
import zlib

from load import event_of, make_catalog
from served import Folder, Server


class HostileHttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.server = Server(cls.folder, faulty=False).__enter__()
        make_catalog(cls.server.client())

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.folder.remove()
        assert status == 0, status

    def tearDown(self):
        answer = self.server.client().call("GET", "/v1/items/i1")
        self.assertEqual(answer.status, 200, "the server no longer serves")
        answer = self.server.client().call("GET", "/v1/users/smuggled/profile")
        self.assertEqual(int(answer.json().get("events", 0)), 0, "a smuggled request took effect")

    def send(self, data, keep_open=False):
        """Everything that comes back until the server closes, or is silent for a while."""
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        self.addCleanup(connection.close)
        try:
            connection.sendall(data)
            if not keep_open:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while more := connection.recv(65536):
                answer += more
            return answer
        except (BrokenPipeError, ConnectionResetError):
            return b"reset"

    def statuses(self, answer):
        return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]

    def smuggled(self):
        body = json.dumps({"events": [event_of("smuggled", 1)]}).encode()
        return b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def test_ambiguous_lengths_are_refused_and_the_connection_closed(self):
        inner = self.smuggled()
        for headers in (
                b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                b"Content-Length: 4\r\nContent-Length: 5\r\n",
                b"Content-Length: 4, 5\r\n",
                b"Content-Length: +4\r\n",
                b"Content-Length: -1\r\n",
                b"Content-Length: 0x4\r\n",
                b"Content-Length: 4 4\r\n",
                b"Content-Length:\r\n",
                b"Content-Length: 99999999999999999999999\r\n",
                b"Content-Length : 4\r\n",
                b"Transfer-Encoding: chunked, identity\r\n",
                b"Transfer-Encoding: xchunked\r\n",
                b"Transfer-Encoding: \x0bchunked\r\n",
                b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                b"X\x00: y\r\nContent-Length: 4\r\n",
                b"Content-Length: 4\r\nTransfer-Encoding : chunked\r\n"):
            with self.subTest(headers=headers):
                answer = self.send(b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n0\r\n\r\n" + inner)
                statuses = self.statuses(answer)
                self.assertLessEqual(len(statuses), 1, answer)
                for status in statuses:
                    self.assertIn(status, (400, 413, 501), answer)

    def test_chunks_that_lie(self):
        inner = self.smuggled()
        for chunks in (b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n{}\r\n",
                       b"2\r\n{}X\r\n0\r\n\r\n", b"2 \x00\r\n{}\r\n0\r\n\r\n", b"fffffff0\r\n{}\r\n0\r\n\r\n",
                       b"2;" + b"e" * 200_000 + b"\r\n{}\r\n0\r\n\r\n"):
            with self.subTest(chunks=chunks[:30]):
                answer = self.send(b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + inner)
                for status in self.statuses(answer):
                    self.assertIn(status, (400, 413, 431), answer)

    def test_a_well_formed_chunked_body_is_taken(self):
        body = json.dumps({"events": [event_of("chunked", 1)]}).encode()
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[at:at + 7]), body[at:at + 7]) for at in range(0, len(body), 7))
        answer = self.send(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        self.assertEqual(self.statuses(answer), [200], answer)

    def test_floods_of_headers(self):
        for flood in (b"".join(b"X-%d: y\r\n" % n for n in range(20_000)), b"X: " + b"y" * 2_000_000 + b"\r\n",
                      b"X" * 2_000_000 + b": y\r\n", b"Cookie: a=b\r\n" * 50_000):
            answer = self.send(b"GET /v1/items/i1 HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
            self.assertTrue(answer == b"reset" or self.statuses(answer) == [431], answer[:200])
        answer = self.send(b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(answer == b"reset" or self.statuses(answer)[0] in (400, 414, 431), answer[:200])

    def test_bodies_beyond_the_limit(self):
        answer = self.send(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"[" * 100_000)
        self.assertEqual(self.statuses(answer), [413], answer[:200])
        chunk = b"10000\r\n" + b"[" * 65536 + b"\r\n"
        answer = self.send(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 200)
        self.assertTrue(answer == b"reset" or self.statuses(answer) == [413], answer[:200])
        deep = b"[" * 4_000_000
        answer = self.send(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(deep) + deep)
        self.assertEqual(self.statuses(answer), [400], answer[:200])

    def test_bodies_that_grow_when_they_are_unpacked(self):
        """Refused, whatever encodings are understood, and not unpacked first."""
        bomb = zlib.compressobj(9, wbits=31)
        packed = b"".join(bomb.compress(b"[" * (1 << 20)) for _ in range(400)) + bomb.flush()
        twice = gzip.compress(packed)
        before = self.peak_memory_kb()
        for encoding, body in (("gzip", packed), ("gzip, gzip", twice), ("gzip", twice), ("gzip", packed[:-9]), ("deflate", packed),
                               ("zstd", packed), ("br", packed), ("x" * 3000, packed), ("gzip", b""), ("gzip", b"\x1f\x8b" + bytes(40))):
            for path in ("/v1/events", "/v1/recommend"):
                answer = self.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\n"
                                   f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                statuses = self.statuses(answer)
                self.assertEqual(len(statuses), 1, f"{path} {encoding[:20]}: {answer[:200]}")
                self.assertIn(statuses[0], (400, 413, 415), f"{path} {encoding[:20]}: {answer[:200]}")
        self.assertLess(self.peak_memory_kb() - before, 100_000, "kB more for 400 MB packed into 400 kB")

    def peak_memory_kb(self):
        with open(f"/proc/{self.server.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def test_things_that_are_not_http(self):
        rng = random.Random(3)
        noises = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\n" * 5000,
                  b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"G\xffT / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n",
                  b"GET /\x00 HTTP/1.1\r\n\r\n", b"CONNECT evil:80 HTTP/1.1\r\nHost: evil\r\n\r\n",
                  b"GET http://evil/v1/items/i1 HTTP/1.1\r\nHost: evil\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
                  b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n"]
        noises += [bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))) for _ in range(200)]
        for noise in noises:
            for status in self.statuses(self.send(noise)):
                self.assertLess(status, 500, noise)

    def test_paths_lead_nowhere_else(self):
        secret = os.path.basename(self.folder.path)
        for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/console/../keys.json", "/..%2fkeys.json",
                     "/%5c..%5ckeys.json", "//etc/passwd", "/v1/items/..%2f..%2f..%2fkeys.json", "/keys.json%00.html", "/%",
                     "/%zz", "/v1/items/%c0%af", "/v1/items/%ff%fe", "/v1//items/i1", "/v1/items/i1/", "/V1/items/i1",
                     "/v1/items/i1%2fx", "/v1/items/i1:withdraw", "/v1/items/" + "a" * 5000, "/v1/items/%00", "/?" + "a=b&" * 3000,
                     "/v1/users/" + "%f0%9f%98%80" * 300 + "/profile", f"/{secret}/keys.json", "/bowerbird.toml"):
            with self.subTest(path=path[:60]):
                answer = self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                statuses = self.statuses(answer)
                self.assertEqual(len(statuses), 1, answer[:300])
                self.assertLess(statuses[0], 500, answer[:300])
                self.assertNotIn(b"root:", answer)
                self.assertNotIn(b"sha256", answer.split(b"\r\n\r\n", 1)[-1][:200] if statuses[0] == 200 else b"")

    def test_made_up_cursors(self):
        client = self.server.client()
        page = client.call("POST", "/v1/recommend", {"user": "reader", "surface": "home", "n": 5}).json()
        cursor = page["next_cursor"]
        rng = random.Random(5)
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_up = ["", "x", "A" * 10, "A" * 1_000, "A" * 100_000, cursor[:-1], cursor + "A", cursor[::-1], cursor.upper(), "\u0000", "../..",
                   "'; drop table", cursor.replace("-", "+").replace("_", "/") + "="]
        for _ in range(200):
            changed = bytearray(raw)
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            made_up.append(base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("="))
        for text in made_up:
            if text in ("", cursor):
                continue
            answer = client.call("POST", "/v1/recommend", {"user": "reader", "surface": "home", "n": 5, "cursor": text})
            self.assertEqual(answer.status, 400, f"{text[:80]!r}: {answer!r}")
            self.assertEqual(answer.json()["code"], "invalid_cursor", answer)
        answer = client.call("POST", "/v1/recommend", {"user": "somebody-else", "surface": "home", "n": 5, "cursor": cursor})
        self.assertEqual(answer.status, 400, "another user's cursor")
        answer = client.call("POST", "/v1/recommend", {"user": "reader", "surface": "home", "n": 5, "cursor": cursor})
        self.assertEqual(answer.status, 200, answer)

    def test_made_up_ids(self):
        client = self.server.client()
        for name in ("\u0000", "a" * 257, "a" * 100_000, "\ud800", "../x", "\u202eevil", "<script>", "%00", " ", "\n", "i1\u0000"):
            for body in ({"user": name, "surface": "home"}, {"user": "u", "surface": name}, {"user": "u", "surface": "related", "item": name},
                         {"user": "u", "surface": "home", "exclude": [name]}, {"user": "u", "surface": "home", "filter": name}):
                answer = client.call("POST", "/v1/recommend", body)
                self.assertLess(answer.status, 500, f"{name!r} {answer!r}")
            answer = client.call("POST", "/v1/events", {"events": [{"type": "click", "user": name, "item": name, "client_id": name}]})
            self.assertLess(answer.status, 500, f"{name!r} {answer!r}")


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
