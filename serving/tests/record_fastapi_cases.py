"""Records what FastAPI answers, for tests/the_fastapi_contract.rs to compare with.

    python3 -m venv /somewhere/outside && /somewhere/outside/bin/pip install fastapi uvicorn pydantic
    /somewhere/outside/bin/python serving/tests/record_fastapi_cases.py > serving/tests/fastapi_cases.json

`/predict` is the endpoint of the system that this crate replaces. `/rows` is the same for a list of rows, `/typed` the same
for the other column types: how FastAPI would have answered for them. Python 3.11 is the one whose JSON messages we follow.
FastAPI 0.115.12 with pydantic 2.11 differs in three cases: no or an empty content type is JSON, and the body `null` is `missing`.
"""

import http.client
import json
import platform
import sys
import threading
import time
from typing import List, Optional

import fastapi
import pydantic
import uvicorn
from pydantic import BaseModel, Field

app = fastapi.FastAPI()


class Row(BaseModel):
    feature1: float
    feature2: float
    feature3: float


class Typed(BaseModel):
    i: int = Field(ge=-(2**31), le=2**31 - 1)
    b: bool
    t: str
    o: Optional[float] = None


def total(row: Row) -> dict:
    return {"prediction": row.feature1 + row.feature2 + row.feature3}


@app.post("/predict")
def predict(row: Row):
    return total(row)


@app.post("/rows")
def rows(rows: List[Row]):
    return [total(row) for row in rows]


@app.post("/typed")
def typed(row: Typed):
    return {"prediction": f"{row.i}|{int(row.b)}|{row.t}|{row.o}"}


FINITE = "a number that is not finite is the caller's mistake"
ECHO = "what cannot be written as JSON is echoed as text or U+FFFD, where FastAPI fails"
UTF8 = "JSON is UTF-8"
LIST = "a list of rows is a list of questions"
MEDIA = "a body of another type is refused by its type"
MISSING_TYPE = "a missing content type is JSON, as in FastAPI 0.115"

GOOD = '{"feature1":5.3,"feature2":2.1,"feature3":0.8}'
GOOD_ANSWER = '{"prediction":%r}' % (5.3 + 2.1 + 0.8)
FEATURE = '{"feature1":%s,"feature2":1,"feature3":1}'


def finite(text):
    detail = {"type": "finite_number", "loc": ["body", "feature1"], "msg": "Input should be a finite number", "input": text}
    return {"status": 422, "answer": compact({"detail": [detail]}), "why": FINITE}


def echoed(kind, msg, text):
    detail = {"type": kind, "loc": ["body", "feature1"], "msg": msg, "input": text}
    return {"status": 422, "answer": compact({"detail": [detail]}), "why": ECHO}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


UNICODE = "Input should be a valid string, unable to parse raw data as a unicode string"
NUMBER = "Input should be a valid number"
UNREADABLE = compact({"detail": "There was an error parsing the body"})


def values():
    plain = [
        "1", "-1", "0", "-0", "-0.0", "5.3", "1e3", "1.0E+2", "5e-324", "1e-7", "1e16", "123456789012345678901234567890",
        "1.7976931348623157e308", "0.1e-999999999999", "true", "false", "null", "[]", "[1]", "{}", '{"a":[1,2]}',
        '"abc"', '"5.3"', '" 5.3 "', '"5_3"', '" 5_3 "', '"_5"', '"5_"', '"5__3"', '"1_0.5_0"', '"1_e5"', '"1e5"', '"1E+5"',
        '"+5"', '"5."', '".5"', '"."', '""', '" "', '"5,3"', '"1 2"', '"0x10"', '"5f"', '"true"', '"1e"', '"5\\n"',
        '"\\u00a05.3\\u2003"', '"\\u200b5"', '"\\u001c5"', '"\\u0661"', '"\u0661"', '"\\u0035"', '"1e-400"', '"\\u0000"',
        '"\u00e9\\u007f\\u2028\\/\\b"', '"\\ud83d\\ude00"', "[1e16,1e-7,1.0,-0.0,-0,12345678901234567890123]",
        '{"a":1,"b":2,"a":3}', "1" + "0" * 300, "1" + "0" * 400, "-1" + "0" * 400, "9" * 4300, "9" * 4301,
    ]
    for value in plain:
        yield value, None
    for value in ["NaN", "Infinity", "-Infinity"]:
        yield value, finite(value)
    for value, text in [("1e400", "Infinity"), ("-1e400", "-Infinity"), ("1e99999999999999999999", "Infinity")]:
        yield value, finite(text)
    for text in ["inf", "-Infinity", "nan", "NaN", "INF", "+inf", "in_f", "1e400", "1" * 400]:
        yield f'"{text}"', finite(text)
    yield '"\\ud800"', echoed("string_unicode", UNICODE, "\ufffd")
    yield '"x\\ud83d\\u0061"', echoed("string_unicode", UNICODE, "x\ufffda")
    yield "[NaN,1e400]", echoed("float_type", NUMBER, ["NaN", "Infinity"])


def bodies():
    for value, ours in values():
        yield FEATURE % value, ours
    broken = [
        "", " ", "null", "1", '"x"', "true", "{", "{}", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{a:1}", '{"a" 1}',
        '{"a":1 "b":2}', "nul", '{"a":"\n"}', '{"a":"x', '{"a":"\\x"}', '{"a":"\\u12"}', '{"a":"\\u12G4"}', '{"a":"\\ud800\\u12"}',
        '{"a":"\\', '{"feature1":01}', '{"a":1.}', '{"a":-}', '{"a":+1}', '{"a":.5}', '{"a":1e}', GOOD + " x", GOOD + " \n\t\r",
        GOOD + "\x0b", "\ufeff" + GOOD, "\ufeff", '\ufeff{"a"}', "-", "-Infinit", "[", "[1", "[1,]", "[1 2]", "[1}", "{ ", "{1:2}",
        "{'a':1}", "//x", "\0", '{"a":"\x7f\0"}', '{"\u00e9":"\u65e5\u672c",x}', '{"a":\t1,\r\n"b"\n:\n[ ]}', "\xa0" + GOOD,
        '{"feature1":1,"feature1":"x","feature2":1,"feature2":2,"feature3":3}', '{"feature\\u0031":5,"feature2":2,"feature3":3}',
        '{"feature1":1,"feature2":"x"}', '{"feature3":null,"feature1":"y"}', '{"x":"' + "a" * 100 + '"}',
        '{"feature1":1,"feature2":2,"feature3":3,"extra":{"deep":[1,{"x":null}]}}', '{"\\ud800":1,"feature1":1,"feature2":2,"feature3":3}',
        '{"Feature1":1," feature2":2,"feature3":3}', "[" * 2000, "[" * 2000 + "]" * 2000, '{"a":' * 100 + "1" + "}" * 100,
        '{"feature1":1,"x":' + "[" * 2000 + "]" * 2000 + "}", '{"a":' + "1" * 4301 + "}", '{"a":' + "1" * 4301 + " x", "1" * 300 + ".0",
    ]
    for body in broken:
        yield body, None
    unlisted = [{"type": "model_attributes_type", "loc": ["body", row], "input": row + 1} for row in range(2)]
    message = "Input should be a valid dictionary or object to extract fields from"
    unlisted = [{"type": d["type"], "loc": d["loc"], "msg": message, "input": d["input"]} for d in unlisted]
    yield "[]", {"status": 200, "answer": "[]", "why": LIST}
    yield f"[{GOOD}]", {"status": 200, "answer": f"[{GOOD_ANSWER}]", "why": LIST}
    yield "[1,2]", {"status": 422, "answer": compact({"detail": unlisted}), "why": LIST}
    nothing = {"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": "NaN"}
    yield "NaN", {"status": 422, "answer": compact({"detail": [nothing]}), "why": ECHO}


def raw_bodies():
    yield b"\xff", None
    yield GOOD.encode() + b"\xff", None
    yield b'{"a":"\xff"}', None
    yield b"\xef\xbb{}", None
    unreadable = {"status": 400, "answer": UNREADABLE, "why": UTF8}
    yield b'{"\xed\xa0\x80":1,"feature1":1,"feature2":2,"feature3":3}', unreadable
    yield GOOD.encode("utf-16"), unreadable
    yield GOOD.encode("utf-32"), unreadable


def list_bodies():
    yield from ["[]", f"[{GOOD}]", f"[{GOOD}, {GOOD}]", f'[1,{{"feature1":1}},{GOOD},null]', '[{"feature1":"x","feature2":null}]', "[[]]", f"[{GOOD},]"]


def typed_bodies():
    fields = {
        "i": [
            "1", "1.0", "1.5", '"1"', '"1.0"', '"1.5"', '" 7 "', '"1_0"', "true", '"true"', "null", "1e20", "2147483647", "2147483648",
            "-2147483649", "123456789012345678901234567890", '"9999999999999999999999"', "[]", '"0x1"', '"+1"', '""', "-0.0", '"-0"',
            "1e3", '"1e3"', '"1."', '".0"', '"1.00"', '"007"', '" 1_0 "', '"1_0.0"', '"1.0_0"', '"-1_0"', '"+ 1"', '"inf"', "9.3e18",
        ],
        "b": [
            "true", "1", "0", "2", "-0", "1.0", "0.0", "1.5", '"true"', '"TRUE"', '"yes"', '"y"', '"on"', '"1"', '"0"', '"f"', '"off"',
            '"no"', '"n"', '"t"', '" true "', '"x"', '"1.0"', "null", "[]", '"tRue"', "12345678901234567890123", "5.0",
        ],
        "t": ['"x"', '"\\u0041"', "1", "null", "true", "1.5", "[]", '""'],
        "o": ["null", "1", '"x"', "true", '" 2 "', "[]"],
    }
    for name, candidates in fields.items():
        for value in candidates:
            row = {"i": "1", "b": "true", "t": '"x"', name: value}
            yield "{" + ",".join(f'"{key}":{text}' for key, text in row.items()) + "}"


def content_types():
    for kind in ["application/json; charset=utf-8", "application/json;charset=latin-1", "APPLICATION/JSON", "application/geo+json"]:
        yield kind, None
    refused = {"status": 415, "answer": compact({"detail": "Unsupported Media Type: send application/json"}), "why": MEDIA}
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", "text/json"]:
        yield kind, refused
    for kind in [None, ""]:
        yield kind, {"status": 200, "answer": GOOD_ANSWER, "why": MISSING_TYPE}


def start():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return server.servers[0].sockets[0].getsockname()[1]


def ask(port, endpoint, body, content_type):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {} if content_type is None else {"content-type": content_type}
    connection.request("POST", endpoint, body, headers)
    answer = connection.getresponse()
    return {"status": answer.status, "answer": answer.read().decode()}


def squeeze(body):
    """A long body as pieces and how often each comes, so that the file stays readable."""
    pieces = []
    while body:
        count = len(body) - len(body.lstrip(body[0]))
        if count > 50:
            pieces.append([body[0], count])
            body = body[count:]
        else:
            end = next((at for at in range(len(body)) if body[at : at + 51] == body[at] * 51), len(body))
            pieces.append([body[:end], 1])
            body = body[end:]
    return pieces


def main():
    port = start()
    asked = [("/predict", body, "application/json", ours) for body, ours in bodies()]
    asked += [("/predict", body, "application/json", ours) for body, ours in raw_bodies()]
    asked += [("/predict", GOOD, kind, ours) for kind, ours in content_types()]
    asked += [("/rows", body, "application/json", None) for body in list_bodies()]
    asked += [("/typed", body, "application/json", None) for body in typed_bodies()]
    cases = []
    for endpoint, body, content_type, ours in asked:
        sent = {"bytes": list(body)} if isinstance(body, bytes) else {"body": squeeze(body)}
        raw = body if isinstance(body, bytes) else body.encode()
        case = {"endpoint": endpoint, "content_type": content_type, **sent, "fastapi": ask(port, endpoint, raw, content_type)}
        cases.append(case if ours is None else {**case, "ours": ours})
    versions = {"python": platform.python_version(), "fastapi": fastapi.__version__, "pydantic": pydantic.VERSION}
    lines = ",\n".join("  " + json.dumps(case, ensure_ascii=True) for case in cases)
    sys.stdout.write(f'{{"recorded_with": {json.dumps(versions)}, "by": "tests/record_fastapi_cases.py", "cases": [\n{lines}\n]}}\n')


main()
