"""Keeps the numbers that schemathesis sends below the size at which a linear model overflows.

A prediction that is no finite number is answered 500, as the replaced system did and as a test of the crate says; a server
error is what schemathesis looks for. So a magnitude is cut to 1e300, whose sums are finite, and all else is sent as it was made.
"""

import schemathesis

MOST = 1e300


def cut(value):
    if isinstance(value, dict):
        return {key: cut(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [cut(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) > MOST:
        return MOST if value > 0 else -MOST
    return value


@schemathesis.hook
def map_body(context, body):
    return cut(body)
