"""Supplies requests that schemathesis cannot generate by itself, and counts the answers.

A message is accepted only if its recipient, template and texts match, and a lookup names its user in one of two
ways. Therefore some generated requests are replaced by a request from `requests.json`, which .ci/schemathesis
writes. The statuses of every operation are counted in `statuses.json`.
"""

import atexit
import collections
import json
import pathlib
import random

import schemathesis

REQUESTS = json.loads(pathlib.Path("requests.json").read_text(encoding="utf-8"))
SHARE = 0.6

statuses = collections.defaultdict(collections.Counter)


def name(case):
    return f"{case.method.upper()} {case.operation.path}"


@schemathesis.hook
def map_case(context, case):
    requests = REQUESTS.get(name(case))
    if requests and case.meta is not None and case.meta.generation.mode.is_positive:
        # Seeded by the generated case, so that a repeated case stays the same.
        chance = random.Random(repr((case.path_parameters, case.query, case.body)))
        if chance.random() < SHARE:
            for part, value in chance.choice(requests).items():
                setattr(case, part, value)
    return case


@schemathesis.hook
def after_call(context, case, response):
    statuses[name(case)][response.status_code] += 1


@atexit.register
def write():
    pathlib.Path("statuses.json").write_text(json.dumps(statuses), encoding="utf-8")
