"""The task of the replaced system, for Locust: POST /predict, then wait 1 to 2.5 seconds.

Users as asked for on the command line or on Locust's page:

    locust -f locustfile.py --host http://127.0.0.1:8000 --headless -u 1000 -r 100 -t 60s

With STEP_USERS set, a staircase instead: that many users more every STEP_SECONDS (default 10), up to
STEP_MOST (default 10000), started SPAWN_RATE a second (default 500):

    STEP_USERS=500 locust -f locustfile.py --host http://127.0.0.1:8000 --headless

One Locust process saturates its core at about 1,200 requests/s and then reports its own queue as the
server's latency; `martello load` does not.
"""

import os

from locust import LoadTestShape, between, task
from locust.contrib.fasthttp import FastHttpUser

BODY = {"feature1": 5.3, "feature2": 2.1, "feature3": 0.8}

STEP_USERS = int(os.environ.get("STEP_USERS", "0"))


class Visitor(FastHttpUser):
    """Asks for one prediction at a time."""

    wait_time = between(1, 2.5)

    @task
    def predict(self):
        with self.rest("POST", "/predict", json=BODY) as response:
            # `rest` has already failed an answer that is no JSON or has an error status.
            if response.js is not None and not isinstance(response.js.get("prediction"), float):
                response.failure("no prediction in the answer")


if STEP_USERS > 0:

    class Staircase(LoadTestShape):
        """More users at equal intervals, and the end when the highest step is over."""

        step_seconds = float(os.environ.get("STEP_SECONDS", "10"))
        most = int(os.environ.get("STEP_MOST", "10000"))
        spawn_rate = float(os.environ.get("SPAWN_RATE", "500"))

        def tick(self):
            step = int(self.get_run_time() // self.step_seconds) + 1
            users = min(step * STEP_USERS, self.most)
            if (step - 1) * STEP_USERS >= self.most:
                return None
            return users, self.spawn_rate
