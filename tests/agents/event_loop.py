"""Coroutines run to their end, whatever runs in the test's own thread: a browser's tests leave a loop there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def run_to_end(coroutine):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
