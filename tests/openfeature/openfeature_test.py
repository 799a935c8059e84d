"""The OpenFeature SDK for Node with its OFREP provider evaluates flags against a running binary.

usage: openfeature_test.py BOWERBIRD (run by `./dev test --label openfeature`)
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
BOWERBIRD = sys.argv[1]
USERS = 200
CONFIG = """
[users.attributes]
plan = "string"
"""
BUTTON = """
id = "button"
traffic = 1.0
forced = [{unit = "tester", arm = "green"}]
[[arms]]
name = "control"
weight = 1
flags = {"button.color" = "blue", big = false, columns = 3, sections = ["new", "old"]}
[[arms]]
name = "green"
weight = 1
flags = {"button.color" = "green", big = true, columns = 4.5, sections = ["old"]}
"""
PRO = """
id = "for-pros"
traffic = 1.0
targeting = "plan == 'pro'"
[[arms]]
name = "control"
weight = 1
flags = {"pro.only" = "plain"}
[[arms]]
name = "gold"
weight = 99999
flags = {"pro.only" = "gold"}
"""


def bowerbird(*args):
    done = subprocess.run([BOWERBIRD, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"bowerbird {' '.join(args)}: {done.stderr}")
    return done.stdout


class OpenFeatureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        data = str(folder / "data")
        bowerbird("init", "--dir", data)
        (folder / "data/apps/default/bowerbird.toml").write_text(CONFIG, encoding="utf-8")
        cls.key = bowerbird("keys", "create", "--name", "product", "--scopes", "serve", "--dir", data).strip()
        cls.server = subprocess.Popen([BOWERBIRD, "serve", "--port", "0", "--dir", data], stdout=subprocess.PIPE, text=True)
        cls.host = cls.server.stdout.readline().split()[-1]
        for name, text in (("button", BUTTON), ("for-pros", PRO)):
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
            bowerbird("experiment", "create", str(folder / f"{name}.toml"), "--dir", data)
            bowerbird("experiment", "start", name, "--dir", data)
        done = subprocess.run(
            ["node", str(HERE / "evaluate.mjs"), cls.host, cls.key, str(USERS)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        cls.told = [json.loads(line) for line in done.stdout.splitlines()]
        cls.rows = json.loads(
            bowerbird(
                "lake", "sql", "select experiment, arm, unit, unit_id, forced from exposures order by all", "--json", "--dir", data
            )
        )["rows"]

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(30)
        cls.server.stdout.close()
        cls.folder.cleanup()

    def one(self, what):
        return next(told for told in self.told if told["what"] == what)

    def post(self, path, body, **headers):
        request = urllib.request.Request(self.host + path, data=body.encode(), method="POST")
        for name, value in {"Authorization": f"Bearer {self.key}", **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or b"{}"), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}"), error.headers

    def test_users_are_split_and_told_why(self):
        colors = [told for told in self.told if told["what"] == "color"]
        self.assertEqual(len(colors), USERS)
        self.assertEqual({told["reason"] for told in colors}, {"SPLIT"})
        self.assertEqual({(told["variant"], told["value"]) for told in colors}, {("control", "blue"), ("green", "green")})
        green = sum(told["variant"] == "green" for told in colors)
        # 100 of 200, within five standard deviations.
        self.assertLess(abs(green - USERS / 2), 5 * (USERS / 4) ** 0.5)
        self.assertEqual(colors[0]["flagMetadata"], {"experiment": "button", "why": "drawn"})

    def test_values_of_every_type(self):
        self.assertEqual(self.one("string")["value"], "green")
        self.assertEqual(self.one("string")["reason"], "TARGETING_MATCH")
        self.assertEqual(self.one("boolean")["value"], True)
        self.assertEqual(self.one("number")["value"], 4.5)
        self.assertEqual(self.one("object")["value"], ["old"])

    def test_the_callers_default_where_there_is_none(self):
        for what, code, value in (
            ("unknown", "FLAG_NOT_FOUND", "round"),
            ("no key", "TARGETING_KEY_MISSING", "none"),
            ("wrong type", "TYPE_MISMATCH", True),
        ):
            self.assertEqual((self.one(what)["errorCode"], self.one(what)["value"]), (code, value), what)

    def test_targeting_reads_the_context(self):
        self.assertEqual((self.one("pro")["value"], self.one("pro")["variant"]), ("gold", "gold"))
        self.assertEqual((self.one("free")["value"], self.one("free")["reason"]), ("plain", "DEFAULT"))
        self.assertNotIn("variant", self.one("free"))

    def test_every_evaluation_is_an_exposure_once(self):
        button = [row for row in self.rows if row[0] == "button"]
        drawn = {row[3]: row[1] for row in button if not row[4]}
        told = {one["user"]: one["variant"] for one in self.told if one["what"] == "color"}
        self.assertEqual(drawn, told)
        self.assertEqual([row for row in button if row[4]], [["button", "green", "user", "tester", True]])
        self.assertEqual([row[1:4] for row in self.rows if row[0] == "for-pros"], [["gold", "user", "ann"]])

    def test_all_flags_at_once_with_an_etag(self):
        body = json.dumps({"context": {"targetingKey": "tester"}})
        status, flags, headers = self.post("/ofrep/v1/evaluate/flags", body)
        self.assertEqual(status, 200)
        self.assertEqual([flag["key"] for flag in flags["flags"]], ["big", "button.color", "columns", "pro.only", "sections"])
        status, _, again = self.post("/ofrep/v1/evaluate/flags", body, If_None_Match=headers["ETag"])
        self.assertEqual((status, again["ETag"]), (304, headers["ETag"]))
        status, _, _ = self.post("/ofrep/v1/evaluate/flags", body.replace("tester", "u1"), If_None_Match='"0"')
        self.assertEqual(status, 200)

    def test_errors_as_the_protocol_has_them(self):
        for body, status, code in (
            ("{", 400, "PARSE_ERROR"),
            ("[]", 400, "PARSE_ERROR"),
            ('{"context": 3}', 400, "PARSE_ERROR"),
            ('{"context": {"targetingKey": 3}}', 400, "PARSE_ERROR"),
            ("{}", 400, "TARGETING_KEY_MISSING"),
            (json.dumps({"context": {"targetingKey": "u" * 257}}), 400, "INVALID_CONTEXT"),
        ):
            answer = self.post("/ofrep/v1/evaluate/flags/big", body)
            self.assertEqual((answer[0], answer[1].get("errorCode"), answer[1].get("key")), (status, code, "big"), body)
        answer = self.post("/ofrep/v1/evaluate/flags/none", '{"context": {"targetingKey": "u1"}}')
        self.assertEqual((answer[0], answer[1]["errorCode"]), (404, "FLAG_NOT_FOUND"))
        answer = self.post("/ofrep/v1/evaluate/flags/big", "{}", Authorization="Bearer bb_nobody")
        self.assertEqual(answer[0], 401)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
