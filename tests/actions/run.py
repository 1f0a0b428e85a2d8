#!/usr/bin/env python3
"""Runs worker/actions/*.py, as they stand, through the cases of this folder.

    python3 run.py            all; one line each, then "N passed, N failed"; exit code 1 when one failed
    python3 run.py --list     titles only
    python3 run.py WORD       cases whose file or title contains the word

What it is not: the pretended Odoo (fake_env.py, world.py) or the limits of the place (safe_eval.py).
"""
import ast
import copy
import datetime
import hashlib
import json
import pathlib
import sys
import types

sys.dont_write_bytecode = True  # leaves nothing in the checkout

import fake_env  # noqa: E402
import safe_eval  # noqa: E402
import world  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ACTIONS = HERE.parent.parent / "worker" / "actions"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ACTIONS.glob("*.py"))}
SHA256 = {name: hashlib.sha256(text.strip(" \n\r\t").encode()).hexdigest() for name, text in TEXTS.items()}
# What several texts hold letter by letter: from, to, and which of them.
SHARED = [("# -- the same in every action", "# -- end of what is the same --", ("observe", "book", "refund")),
          ("# -- the same in book.py and refund.py", "# -- end of what book.py and refund.py share --", ("book", "refund")),
          ("# -- the same in record.py and invoice.py", "# -- end of what record.py and invoice.py share --",
           ("record", "invoice"))]
# Which text takes of which of these parts only what it needs: statement by statement the same as in book.py.
IN_PART = [("record", 0), ("invoice", 0), ("invoice", 1)]
ALL_SERIES = (17, 18, 19)
CODE = {name: safe_eval.compile_action(text, name) for name, text in TEXTS.items()}
REFUSED_TEXTS = {
    "an import": "import json",
    "a with": "with env.cr.savepoint():\n    pass",
    "a name with two underscores": "x = env.__class__",
    "an assignment to an attribute": "env.x = 1",
    "a deleted item": "x = {}\ndel x['a']",
    "a class": "class X:\n    pass",
    "a frame": "x = env.f_globals",
    "a lambda over a function's variable": "def f(x):\n    return filter(lambda y: y == x, [1])",
    "a comprehension over a function's variable": "def f(x):\n    return [y for y in [1] if y == x]",
    "a try inside a loop": "for x in [1]:\n    try:\n        pass\n    except Exception:\n        pass",
}


def main(arguments):
    files = sorted((HERE / "cases").glob("*.json"))
    cases = [(path.name, expanded(case)) for path in files for case in json.loads(path.read_text("utf-8"))]
    words = [word for word in arguments if word != "--list"]
    cases = [(name, case) for name, case in cases if all(word in f"{name} {case['title']}" for word in words)]
    if "--list" in arguments:
        print("\n".join(f"{name}: {case['title']}" for name, case in cases))
        return 0
    checks = [] if words else [(title, lambda text=text: refuses(text)) for title, text in text_checks()]
    failed = sum(not report(title, check) for title, check in checks)
    failed += sum(not report(f"{name}: {case['title']}", lambda case=case: run_case(case)) for name, case in cases)
    total = len(checks) + len(cases)
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed or not total else 0


def expanded(value):
    """The value with every `numbered` row written out (README.md)."""
    if isinstance(value, dict):
        return {key: expanded(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    rows = []
    for each in value:
        if isinstance(each, dict) and set(each) == {"numbered", "row"}:
            rows += [numbered(each["row"], number) for number in range(*each["numbered"])]
        else:
            rows.append(expanded(each))
    return rows


def numbered(value, number):
    if isinstance(value, dict):
        return {key: numbered(each, number) for key, each in value.items()}
    if isinstance(value, list):
        return [numbered(each, number) for each in value]
    if isinstance(value, str) and value.startswith("#+"):
        return int(value[2:]) + number
    time = f"2026-11-23 14:{number // 60:02}:{number % 60:02}"
    return value.replace("{n}", f"{number:04}").replace("{time}", time) if isinstance(value, str) else value


def text_checks():
    """The limits themselves, as (title, text that must be refused); None stands for the files, which must not."""
    yield "what the files share is the same letter by letter", None
    for title, text in REFUSED_TEXTS.items():
        yield f"safe_eval refuses {title}", text


def refuses(text):
    if text is None:
        parts = [{TEXTS[name][TEXTS[name].index(start):TEXTS[name].index(end)] for name in names}
                 for start, end, names in SHARED]
        whole = [part for start, end, names in SHARED if "book" in names for part in statements(TEXTS["book"], start, end)]
        return ([] if all(len(part) == 1 for part in parts) else ["a shared part differs"]) + [
            f"{name}.py shares with no other: {part.splitlines()[0]}"
            for name, place in IN_PART for part in statements(TEXTS[name], *SHARED[place][:2]) if part not in whole]
    try:
        safe_eval.compile_action(text, "refused")
    except safe_eval.Refused:
        return []
    return ["it was taken"]


def statements(text, start, end):
    """The functions and statements of a part of a text, as they are written."""
    shared = text[text.index(start):text.index(end)]
    return [ast.get_source_segment(shared, node) for node in ast.parse(shared).body]


def report(title, check):
    """Runs one check, prints its line, and what was wrong below it."""
    try:
        problems = check()
    except Exception as error:  # noqa: BLE001 (a case that breaks is a case that failed)
        problems = [f"{type(error).__name__}: {error}"]
    print(f"{'FAIL' if problems else 'ok  '} {title}")
    for problem in problems[:6]:
        print(f"       {problem}")
    return not problems


def run_case(case):
    problems = []
    for series in case.get("series", ALL_SERIES):
        database = world.load(case["world"], series, SHA256)
        for number, call in enumerate(case["calls"]):
            problems += [f"{series}, call {number + 1}: {each}" for each in run_call(database, call)]
        held = world.after(database)
        for key, expected in case.get("after", {}).items():
            problems += [f"{series}, after: {each}" for each in compare_rows(expected, held[key], series, key)]
    return problems


def run_call(database, call):
    before = copy.deepcopy((database.tables, database.mails))
    others = call.get("others", {})
    world.hide(database, others)
    database.faults = call.get("faults", [])
    answer, error = None, None
    try:
        answer = run_action(database, call["action"], call["request"])
    except (fake_env.DatabaseError, fake_env.UserError) as raised:
        error = raised
        database.tables, database.mails = before  # Odoo rolls the whole call back
    problems = judge(call, answer, error, database.series)
    if call["action"] == "observe" and (database.tables, database.mails) != before:
        problems.append("observe wrote something")
    world.hide(database, {})
    database.faults = []
    world.add(database, others)
    return problems


def run_action(database, name, request):
    context = {"active_model": "payment.transaction", "tz": "America/Santiago", "concilia": request}
    env = fake_env.Env(database, context)
    action = safe_eval.run_action(CODE[name], {
        "env": env, "UserError": fake_env.UserError, "Command": fake_env.Command,
        "datetime": types.SimpleNamespace(datetime=datetime.datetime, date=datetime.date, timedelta=datetime.timedelta)})
    assert all(each.closed for each in env.cr.savepoints), "a savepoint was left open"
    assert action["type"] == "ir.actions.act_window_close"
    return json.loads(json.dumps(action["infos"]["concilia"]))  # what cannot be JSON cannot be answered


def judge(call, answer, error, series):
    if "raises" in call:
        if error is None:
            return [f"it answered {answer}"]
        raised = {"pgcode": error.pgcode} if hasattr(error, "pgcode") else {"user_error": str(error)}
        return compare(call["raises"], raised, series, "raises")
    if error is not None:
        return [f"it raised {type(error).__name__}: {error}"]
    return compare(call["answer"], answer, series, "answer")


def compare(expected, found, series, path):
    """What differs, as sentences; `expected` may hold "*", "@observe" and so on, and values by series (README.md)."""
    if isinstance(expected, dict) and set(expected) == {"17", "18", "19"}:
        expected = expected[str(series)]
    if isinstance(expected, str) and expected[:1] == "@":
        expected = SHA256.get(expected[1:], False)
    if expected == "*" and isinstance(expected, str):
        return []
    if isinstance(expected, dict) and isinstance(found, dict) and set(expected) == set(found):
        return [each for key in expected for each in compare(expected[key], found[key], series, f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [each for number, (one, two) in enumerate(zip(expected, found))
                for each in compare(one, two, series, f"{path}[{number}]")]
    same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return [] if same else [f"{path}: expected {json.dumps(expected)}, found {json.dumps(found)}"]


def compare_rows(expected, found, series, key):
    """Rows in any order, compared in the columns given."""
    if not isinstance(expected, list):
        return compare(expected, found, series, key)
    left = list(found)
    for row in expected:
        match = next((each for each in left if not compare(row, {name: each.get(name) for name in row}, series, key)), None)
        if match is None:
            return [f"{key}: no row {json.dumps(row)} among {json.dumps(left)}"]
        left.remove(match)
    return [f"{key}: one row too many, {json.dumps(each)}" for each in left]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
