"""Asks MLflow something that needs its database: /health says OK while MySQL is down."""

import sys
import urllib.error
import urllib.request

URL = "http://localhost:5000/api/2.0/mlflow/experiments/search?max_results=1"

try:
    with urllib.request.urlopen(URL, timeout=5) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except (OSError, urllib.error.URLError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)
