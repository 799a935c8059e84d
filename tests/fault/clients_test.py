"""Clients that send half a request, are slow, or vanish; and more of them than there is room for."""
import json
import random
import socket
import sys
import threading
import unittest

from load import Load, Oracle, event_of, make_catalog
from served import Folder, Server, until


def request(body, path="/v1/events"):
    text = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text


class ClientsTest(unittest.TestCase):
    def setUp(self):
        self.folder, self.oracle = Folder(), Oracle()
        self.addCleanup(self.folder.remove)

    def connect(self, server):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.addCleanup(connection.close)
        return connection

    def test_half_requests_have_no_effect_and_hold_nobody_up(self):
        rng = random.Random(7)
        with Server(self.folder) as server:
            make_catalog(server.client())
            open_ends = []
            load = Load(server, self.oracle, "l")
            for n in range(300):
                connection = self.connect(server)
                whole = request({"events": [event_of("half", n % 40)]})
                connection.sendall(whole[:rng.randrange(1, len(whole))])
                if n % 3 == 0:
                    connection.close()
                elif n % 3 == 1:
                    connection.shutdown(socket.SHUT_WR)
                else:
                    open_ends.append(connection)  # hangs there until the end
            until(lambda: self.oracle.counts["batches"] > 50)
            load.stop()
            self.oracle.check(server.client())
            self.assertEqual(self.oracle.errors, [])
            answer = server.client().call("GET", "/v1/users/half/profile")
            self.assertEqual(int(answer.json().get("events", 0)), 0, answer)
            self.assertEqual(server.stop(), 0, "half requests held up the end")

    def test_requests_byte_by_byte_and_in_one_go(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            connection = self.connect(server)
            for byte in request({"events": [event_of("slow", 0)]}):
                connection.sendall(bytes([byte]))
            self.assertIn(b"200 OK", connection.recv(65536))
            connection.sendall(b"".join(request({"events": [event_of("slow", n)]}) for n in range(1, 20)))
            answers = b""
            while answers.count(b"HTTP/1.1 200 OK") < 19:
                more = connection.recv(65536)
                self.assertTrue(more, answers)
                answers += more
            self.assertEqual(int(server.client().call("GET", "/v1/users/slow/profile").json()["events"]), 20)

    def test_clients_that_do_not_read_their_answers(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            ask = request({"surface": "home", "n": 60, "explain": True, "fields": ["title"]}, "/v1/recommend")
            for _ in range(30):
                connection = self.connect(server)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(0.2)
                try:
                    for _ in range(200):
                        connection.sendall(ask)
                except (TimeoutError, socket.timeout):
                    pass  # its buffers are full: it is held back, not the others
            load = Load(server, self.oracle, "l")
            until(lambda: self.oracle.counts["batches"] > 50 and self.oracle.counts["answers"] > 20)
            load.stop()
            self.oracle.check(server.client())
            self.assertEqual(self.oracle.errors, [])

    def test_clients_that_vanish_before_the_answer(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            sent = []
            for n in range(200):
                event = event_of(f"gone-{n // 40}", n % 40)
                sent.append(event)
                connection = self.connect(server)
                connection.sendall(request({"events": [event]}))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
                connection.close()
            for event in sent:  # the product tries again, as it must
                batch = [event]
                self.oracle.sending(batch)
                self.oracle.answered(batch, server.client().call("POST", "/v1/events", {"events": batch}))
            self.oracle.check(server.client())
            self.assertEqual(self.oracle.errors, [])

    def test_more_connections_than_there_is_room_for(self):
        with open(self.folder.path + "/server.toml", "w") as file:
            file.write("[server]\nconnections_max = 50\n")
        with Server(self.folder) as server:
            client = server.client()
            make_catalog(client)
            idle = [self.connect(server) for _ in range(120)]
            refused = 0
            for connection in idle:
                connection.settimeout(0.05)
                try:
                    refused += connection.recv(1) == b""
                except (TimeoutError, socket.timeout):
                    pass
                except ConnectionResetError:
                    refused += 1
            self.assertGreaterEqual(refused, 70)
            self.assertEqual(client.call("GET", "/v1/items/i1").status, 200, "who was there first is served")
            for connection in idle:
                connection.close()
            until(lambda: server.client().call("GET", "/v1/items/i1").status == 200)


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
