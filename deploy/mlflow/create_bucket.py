"""Makes the bucket of the artifacts, once the object store answers. Ends with 0 if it is there."""

import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PATIENCE_SECONDS = 90


def main() -> int:
    bucket, endpoint = os.environ["BUCKET"], os.environ["MLFLOW_S3_ENDPOINT_URL"]
    quick = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 0})
    store = boto3.client("s3", endpoint_url=endpoint, config=quick)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            store.create_bucket(Bucket=bucket)
            print(f"bucket {bucket} made")
            return 0
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                print(f"bucket {bucket} is there")
                return 0
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status < 500:
                key = "check OBJECT_STORE_ACCESS_KEY and OBJECT_STORE_SECRET_KEY in .env" if status in (401, 403) else error
                print(f"error: {endpoint} refuses bucket {bucket}: {code}: {key}", file=sys.stderr)
                return 1
            reason = error
        except BotoCoreError as error:
            reason = error
        if time.monotonic() > deadline:
            print(f"error: no answer from {endpoint} in {PATIENCE_SECONDS} s: {reason}", file=sys.stderr)
            return 1
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
