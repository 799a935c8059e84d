"""The Model Context Protocol's own Python client talks to the real binary, over standard input and output and over HTTP; the
questions of questions.json are answered through the tools, over a fixed simulated world.

usage: mcp_test.py BOWERBIRD MCP_WORLD_FILES (run by `./dev test --label mcp`, with the client installed)
"""
import contextlib
import http.client
import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import httpx
import world as fixed
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

HERE = pathlib.Path(__file__).parent
BOWERBIRD, WORLD_FILES = sys.argv[1:3]
TOOLS = {"list_tables", "describe_table", "run_sql", "experiment_report", "power", "explain_request", "explain_user",
         "pipeline_health", "search_docs"}
RAW_ID = re.compile(r"\buser-\d{5}\b")


def setUpModule():
    Served.folder = tempfile.TemporaryDirectory()
    folder = Served.folder.name
    path = pathlib.Path(folder) / "world.jsonl"
    subprocess.run([WORLD_FILES, str(path)], check=True)
    Served.world = fixed.read(path)
    fixed.make_folder(BOWERBIRD, folder)
    Served.keys = {scope: create_key(folder, scope) for scope in ("analyst", "admin", "serve")}
    Served.start()
    fixed.fill(Served.host, Served.world)


def tearDownModule():
    Served.stop()
    Served.folder.cleanup()


def create_key(folder, scope):
    made = subprocess.run([BOWERBIRD, "keys", "create", "--name", scope, "--scopes", scope, "--dir", folder], check=True,
                          capture_output=True, text=True)
    return made.stdout.strip()


class Served:
    """The server over the fixed world."""

    folder = world = keys = process = host = None

    @classmethod
    def start(cls):
        cls.process = subprocess.Popen([BOWERBIRD, "serve", "--port", "0", "--dir", cls.folder.name], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        cls.host = cls.process.stdout.readline().split()[-1]

    @classmethod
    def stop(cls):
        cls.process.terminate()
        cls.process.wait(60)
        cls.process.stdout.close()

    @classmethod
    def audit(cls):
        text = (pathlib.Path(cls.folder.name) / "audit.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@contextlib.asynccontextmanager
async def over_stdio(*flags):
    command = StdioServerParameters(command=BOWERBIRD, args=["mcp", "--dir", Served.folder.name, *flags])
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        async with stdio_client(command, errlog=nowhere) as (read, write):
            async with ClientSession(read, write) as session:
                yield session, await session.initialize()


@contextlib.asynccontextmanager
async def over_http(key=None, query=""):
    headers = {"Authorization": f"Bearer {Served.keys[key]}"} if key else {}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        async with streamable_http_client(f"{Served.host}/mcp{query}", http_client=client) as (read, write, _):
            async with ClientSession(read, write) as session:
                yield session, await session.initialize()


async def ask(session, tool, **arguments):
    """What a tool says, as data; an error of the tool's is an AssertionError."""
    result = await session.call_tool(tool, arguments)
    text = result.content[0].text
    assert not result.isError, text
    return json.loads(text)


async def refused(session, tool, **arguments):
    result = await session.call_tool(tool, arguments)
    assert result.isError, result.content[0].text
    return result.content[0].text


def post(body, headers=None, path="/mcp", method="POST"):
    """One HTTP request as it is: (status, body as data or text)."""
    url = urllib.parse.urlparse(Served.host)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection.request(method, path, data, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else None


def ping(number=1):
    return {"jsonrpc": "2.0", "id": number, "method": "ping"}


class Async(unittest.IsolatedAsyncioTestCase):
    maxDiff = None

    async def both(self):
        """A session by each transport, one after the other."""
        async with over_stdio() as (session, hello):
            yield "stdio", session, hello
        async with over_http("analyst") as (session, hello):
            yield "http", session, hello


class ProtocolTest(Async):
    async def test_the_client_finds_the_tools(self):
        async for transport, session, hello in self.both():
            with self.subTest(transport):
                self.assertEqual(hello.protocolVersion, "2025-06-18")
                self.assertEqual(hello.serverInfo.name, "bowerbird")
                self.assertIn("list_tables", hello.instructions)
                await session.send_ping()
                tools = {tool.name: tool for tool in (await session.list_tools()).tools}
                self.assertEqual(tools.keys(), TOOLS)
                for tool in tools.values():
                    self.assertTrue(tool.annotations.readOnlyHint)
                    self.assertGreater(len(tool.description), 40)
                    self.assertEqual(tool.inputSchema["additionalProperties"], False)
                self.assertEqual(tools["run_sql"].inputSchema["required"], ["sql"])

    async def test_every_tool_answers(self):
        async for transport, session, _ in self.both():
            with self.subTest(transport):
                tables = await ask(session, "list_tables")
                self.assertLessEqual({"events", "served", "items", "users"}, {table["name"] for table in tables["tables"]})
                events = await ask(session, "describe_table", table="events")
                self.assertIn({"name": "event_time", "type": "TIMESTAMP WITH TIME ZONE", "holds": "when it happened, UTC"},
                              events["columns"])
                found = await ask(session, "run_sql", sql="select 1 as one, 'ä' as text")
                self.assertEqual(found["rows"], [[1, "ä"]])
                user = (await ask(session, "run_sql", sql='select "user" from events limit 1'))["rows"][0][0]
                explained = await ask(session, "explain_user", user=user)
                self.assertEqual(explained["user"], user)
                self.assertGreater(explained["events"], 0)
                self.assertTrue(explained["interests"] or explained["did"])
                request = (await ask(session, "run_sql", sql="select request_id from served limit 1"))["rows"][0][0]
                answer = await ask(session, "explain_request", request_id=request)
                self.assertEqual(len(answer["shown"]), fixed.SHOWN)
                self.assertTrue(all(item["sources"] and item["title"] for item in answer["shown"]))
                health = await ask(session, "pipeline_health")
                # Nothing was trained: what is related falls back, and that is all that is wrong.
                self.assertEqual((health["status"], len(health["findings"])), ("attention", 1), health)
                self.assertIn("25.0% of 40 answers since the start used a fallback", health["summary"])
                docs = await ask(session, "search_docs", query="lake retention", count=3)
                self.assertEqual(len(docs["sections"]), 3)
                self.assertIn("no experiment 'checkout'", await refused(session, "experiment_report", experiment="checkout"))
                self.assertIn("found 'joy'", await refused(session, "power", metric="joy", effect=0.02))

    async def test_resources_are_documents_and_tables(self):
        async for transport, session, _ in self.both():
            with self.subTest(transport):
                listed = {str(resource.uri) for resource in (await session.list_resources()).resources}
                self.assertIn("bowerbird://docs/docs/guides/lake.md", listed)
                self.assertIn("bowerbird://tables/served", listed)
                document = (await session.read_resource("bowerbird://docs/docs/guides/lake.md")).contents[0]
                self.assertEqual(document.text, (HERE.parents[1] / "docs/guides/lake.md").read_text(encoding="utf-8"))
                table = json.loads((await session.read_resource("bowerbird://tables/events")).contents[0].text)
                self.assertEqual(table["table"], "events")
                with self.assertRaises(McpError) as caught:
                    await session.read_resource("bowerbird://docs/../secret")
                self.assertEqual(caught.exception.error.code, -32002)

    async def test_mistakes_are_told_apart(self):
        async for transport, session, _ in self.both():
            with self.subTest(transport):
                for tool, arguments in (("steal", {}), ("run_sql", {}), ("run_sql", {"sql": 7}), ("run_sql", {"sql": "select 1", "rows": 1}),
                                        ("run_sql", {"sql": "select 1", "max_rows": 5001}), ("list_tables", {"x": 1})):
                    with self.assertRaises(McpError) as caught:
                        await session.call_tool(tool, arguments)
                    self.assertEqual(caught.exception.error.code, -32602, (tool, arguments))
                self.assertIn("nothing", await refused(session, "run_sql", sql="select nothing from events"))
                for sql in ("delete from events", "create table t as select 1", "copy events to '/tmp/x'", "attach 'x'", "select 1; select 2",
                            "select * from read_text('/etc/passwd')", "select getenv('HOME')", "set threads = 1"):
                    await refused(session, "run_sql", sql=sql)
                self.assertIn("list_tables", await refused(session, "describe_table", table="events; drop"))
                self.assertIn("request_id", await refused(session, "explain_request", request_id="x' or 1=1 --"))
                self.assertEqual((await ask(session, "run_sql", sql="select 1"))["rows"], [[1]], "the session goes on")


class MaskTest(Async):
    async def users(self, session):
        found = await ask(session, "run_sql", sql='select distinct "user" from events order by 1', max_rows=1000)
        return [row[0] for row in found["rows"]]

    async def test_users_are_masked_unless_the_key_allows_and_the_same_everywhere(self):
        async with over_http("analyst") as (session, _):
            masked = await self.users(session)
        async with over_http("admin", "?mask=true") as (session, _):
            self.assertEqual(await self.users(session), masked)
        async with over_stdio() as (session, _):
            self.assertEqual(await self.users(session), masked)
        async with over_stdio("--mask") as (session, _):
            self.assertEqual(await self.users(session), masked)
        async with over_http() as (session, _):
            self.assertEqual(await self.users(session), masked, "of this machine, without a key")
        async with over_http("admin") as (session, _):
            plain = await self.users(session)
        async with over_stdio("--unmasked") as (session, _):
            self.assertEqual(await self.users(session), plain)
        self.assertEqual(plain, sorted({event["user"] for event in Served.world["event"]}))
        self.assertEqual(masked, sorted(map(fixed.masked, plain)), "SipHash, computed once more")

    async def test_no_tool_names_a_masked_user(self):
        names = [user["attributes"]["name"] for user in Served.world["user"]]
        async with over_http("analyst") as (session, _):
            texts = [json.dumps(await ask(session, "run_sql", sql=sql, max_rows=5000)) for sql in (
                "select * from events where type <> 'impression'", "select * from users", "select * from user_changes", "select * from served",
                'select substr("user", 1, 9), reverse("user") from events', "select to_json(s) from served s")]
            for request, user in (await ask(session, "run_sql", sql='select request_id, "user" from served'))["rows"][:5]:
                texts.append(json.dumps(await ask(session, "explain_request", request_id=request)))
                texts.append(json.dumps(await ask(session, "explain_user", user=user)))
        for text in texts:
            self.assertIsNone(RAW_ID.search(text), text[:500])
            self.assertFalse(any(name in text for name in names), text[:500])

    async def test_a_known_id_opens_nothing_where_users_are_masked(self):
        user = Served.world["event"][0]["user"]
        async with over_http("analyst") as (session, _):
            self.assertIn("masked", await refused(session, "explain_user", user=user))
            self.assertIn("no user", await refused(session, "explain_user", user="user_0123456789abcdef"))
            self.assertEqual((await ask(session, "run_sql", sql=f"select count(*) from events where \"user\" = '{user}'"))["rows"], [[0]])
            for sql in (f"select bowerbird_mask('user', '{user}')", "select * from (with duckdb_views as (select 1) select 1), duckdb_views"):
                await refused(session, "run_sql", sql=sql)
        async with over_http("admin") as (session, _):
            explained = await ask(session, "explain_user", user=user)
            self.assertEqual(explained["user"], user)
            self.assertIn("country", explained["attributes"])

    async def test_scopes_are_the_apis(self):
        for key, query, status in (("serve", "", 403), ("analyst", "?mask=false", 403), ("analyst", "?mask=maybe", 400), ("admin", "?mask=false", 200)):
            headers = {"Authorization": f"Bearer {Served.keys[key]}"}
            self.assertEqual(post(ping(), headers, f"/mcp{query}")[0], status, (key, query))
        self.assertEqual(post(ping(), {"Authorization": "Bearer bb_no"})[0], 401)
        headers = {"Authorization": f"Bearer {Served.keys['analyst']}"}
        for path, body in (("/v1/sql", {"sql": "select 1"}), ("/v1/recommend", {"surface": "home"})):
            self.assertEqual(post(body, headers, path)[0], 403, path)


class HttpTest(Async):
    async def test_http_as_the_protocol_has_it(self):
        self.assertEqual(post(ping()), (200, {"jsonrpc": "2.0", "id": 1, "result": {}}))
        self.assertEqual(post({"jsonrpc": "2.0", "method": "notifications/initialized"}), (202, None))
        self.assertEqual(post(None, method="GET")[0], 405)
        self.assertEqual(post(None, method="DELETE")[0], 405)
        self.assertEqual(post(ping(), {"MCP-Protocol-Version": "2019-01-01"})[0], 400)
        self.assertEqual(post(ping(), {"Accept": "text/html"})[0], 406)
        self.assertEqual(post(ping(), {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"})[0], 200)
        self.assertEqual(post(b"{")[1]["error"]["code"], -32700)
        self.assertEqual(post({"jsonrpc": "2.0", "id": 1, "method": "tools/steal"})[1]["error"]["code"], -32601)
        self.assertEqual([answer["id"] for answer in post([ping(1), ping(2)])[1]], [1, 2], "a batch of the older revision")
        self.assertEqual(post([ping()], {"MCP-Protocol-Version": "2025-06-18"})[1]["error"]["code"], -32600)

    async def test_a_page_of_elsewhere_is_refused(self):
        for key in (None, "analyst"):
            headers = {"Origin": "http://evil.example"}
            if key:
                headers["Authorization"] = f"Bearer {Served.keys[key]}"
            self.assertEqual(post(ping(), headers)[0], 403)
        self.assertEqual(post(ping(), {"Origin": Served.host.replace("127.0.0.1", "rebound.example"), "Host": "rebound.example"})[0], 403)


class LimitTest(Async):
    async def test_rows_bytes_time_and_messages_are_bounded(self):
        async for transport, session, _ in self.both():
            with self.subTest(transport):
                found = await ask(session, "run_sql", sql="select * from range(1000)")
                self.assertEqual((len(found["rows"]), found["truncated"]), (200, True))
                found = await ask(session, "run_sql", sql="select * from range(1000)", max_rows=3000)
                self.assertEqual((len(found["rows"]), found["truncated"]), (1000, False))
                found = await ask(session, "run_sql", sql="select repeat('x', 10000) from range(1000)", max_rows=1000)
                self.assertTrue(found["truncated"])
                self.assertLess(len(json.dumps(found)), 600_000)
                slow = await refused(session, "run_sql", sql="select count(*) from range(1000000) a, range(1000000) b")
                self.assertIn("5", slow)
                with self.assertRaises(McpError):
                    await session.call_tool("run_sql", {"sql": "select 1 -- " + "x" * (64 << 10)})
        self.assertEqual(post(b" " * ((1 << 20) + 1))[1]["error"]["code"], -32600)

    async def test_a_line_of_any_length_gets_an_answer(self):
        said = subprocess.run([BOWERBIRD, "mcp", "--dir", Served.folder.name], text=True, capture_output=True, timeout=120,
                              input="x" * (3 << 20) + "\n\n{\n" + json.dumps(ping(7)) + "\n")
        answers = [json.loads(line) for line in said.stdout.splitlines()]
        self.assertEqual([answer.get("error", {}).get("code") for answer in answers], [-32600, -32700, None])
        self.assertEqual(answers[-1]["id"], 7)


class AuditTest(Async):
    async def test_each_call_is_a_line(self):
        before = len(Served.audit())
        async with over_http("analyst") as (session, _):
            await session.list_tools()
            for _ in range(2):
                await ask(session, "run_sql", sql="select type from events limit 3")
            await refused(session, "run_sql", sql="select nothing from events")
        async with over_stdio("--unmasked") as (session, _):
            await ask(session, "search_docs", query="lake")
        lines = Served.audit()[before:]
        self.assertEqual([line["action"] for line in lines], ["mcp run_sql"] * 3 + ["mcp search_docs"])
        self.assertEqual([line["status"] for line in lines], [200, 200, 400, 200])
        self.assertTrue(all(line["who"].endswith("(analyst)") for line in lines[:3]), lines)
        self.assertTrue(lines[3]["who"].startswith("uid "))
        details = [re.fullmatch(r"arguments sha256:([0-9a-f]{16}) rows (\d+) seconds [\d.]+ (masked|unmasked)", line["detail"]) for line in lines]
        self.assertEqual(details[0][1], details[1][1])
        self.assertNotEqual(details[0][1], details[2][1])
        self.assertEqual([detail[2] for detail in details[:3]], ["3", "3", "0"])
        self.assertEqual([detail[3] for detail in details], ["masked"] * 3 + ["unmasked"])


def picked(value, path):
    """A part of a result: `rows.0.0`; `columns.name=items.type` takes the one element whose name is items."""
    for step in path.split("."):
        if "=" in step:
            field, wanted = step.split("=")
            value = next(one for one in value if one[field] == wanted)
        else:
            value = value[int(step)] if isinstance(value, list) else value[step]
    return value


class QuestionsTest(Async):
    questions = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))

    def test_there_are_forty_and_what_they_are_answered_is_true_of_the_world(self):
        self.assertEqual(len({question["id"] for question in self.questions}), 40)
        truths = fixed.truths(Served.world)
        for question in self.questions:
            if "truth" in question:
                self.assertAlmostEqual(question["answer"], truths[question["truth"]], delta=1e-9 if isinstance(question["answer"], float) else None,
                                       msg=question["id"])

    async def answers(self, session):
        for question in self.questions:
            results = []
            for asked in question["calls"]:
                filled = {name: re.sub(r"\{(\d+)\.([^}]*)\}", lambda part: picked(results[int(part[1])], part[2]), value)
                          if isinstance(value, str) else value for name, value in asked["arguments"].items()}
                results.append(await ask(session, asked["tool"], **filled))
            answer = picked(results[-1], question["pick"])
            with self.subTest(question["id"]):
                if "tolerance" in question:
                    self.assertAlmostEqual(float(answer), question["answer"], delta=question["tolerance"], msg=question["question"])
                else:
                    self.assertEqual(answer, question["answer"], question["question"])

    async def test_the_tools_answer_them_over_http(self):
        async with over_http("analyst") as (session, _):
            await self.answers(session)

    async def test_the_tools_answer_them_over_stdio(self):
        async with over_stdio() as (session, _):
            await self.answers(session)


class RestartTest(Async):
    async def test_a_session_outlives_its_server_and_works_without_one(self):
        count = [[len(Served.world["item"])]]
        try:
            async with over_stdio() as (session, _):
                self.assertEqual((await ask(session, "run_sql", sql="select count(*) from items"))["rows"], count)
                Served.stop()
                again = await ask(session, "run_sql", sql="select count(*) from items")
                self.assertEqual(again["rows"], count, "the command opened the folder itself")
        finally:
            Served.start()
        async with over_stdio() as (session, _):
            self.assertEqual((await ask(session, "run_sql", sql="select count(*) from items"))["rows"], count)


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of every step that took long
    unittest.main(argv=sys.argv[:1], verbosity=2)
