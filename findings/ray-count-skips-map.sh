#!/usr/bin/env bash
# ray 2.60.0: Dataset.map(f).count() never calls f. A map keeps the number of rows, so the count is taken from the source:
# right as a number, and wrong for anyone who runs a pipeline by counting it. materialize() calls f.
# intonate consumes what it wants computed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "ray[data]==2.60.0"
FOLDER=$folder "$folder/env/bin/python" -W ignore - <<'PYTHON'
import logging
import os
import tempfile
from pathlib import Path

import ray

ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, _temp_dir=os.environ["FOLDER"])
logging.getLogger("ray.data").setLevel(logging.ERROR)
ray.data.DataContext.get_current().enable_progress_bars = False


def calls(consume):
    """The rows for which f was called."""
    with tempfile.TemporaryDirectory() as folder:

        def f(row):
            Path(folder, str(row["id"])).touch()
            return row

        answer = consume(ray.data.range(10).map(f))
        return answer, len(os.listdir(folder))


counted, by_count = calls(lambda data: data.count())
_, by_materialize = calls(lambda data: data.materialize())
print("ray", ray.__version__)
print(f"count() answered {counted} and called f {by_count} times; materialize() called it {by_materialize} times")
ray.shutdown()
if (counted, by_count, by_materialize) != (10, 0, 10):
    raise SystemExit("changed: expected 10 rows and no call by count(), 10 calls by materialize()")
print("as described")
PYTHON
