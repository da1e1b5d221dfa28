"""How many requests a second `examples/serve.py` answers, and how long each takes, with 1, 8 and 32 clients.

    python benchmarks/serve.py FOLDER [--requests 1600] [--text TEXT]

Starts the server on a free port with its defaults, and asks it over HTTP from this process: each client sends its next
request when it has the answer to the last. Prints requests a second and the median (p50) and 99th percentile (p99) of
the times, and how many requests shared a batch. Client and server share the machine's cores, so what a network would
add is missing, and what the client costs is in it. Needs the extra `test` (httpx).
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time

import httpx

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "serve.py")
TEXT = "a charming film with a few dull moments, and a wonderful end"


async def ask(address: str, path: str, body: dict, times: list[float], count: int) -> None:
    """One client with a connection of its own: a pool that many share costs more than the server."""
    async with httpx.AsyncClient(base_url=address, timeout=120, verify=False) as client:  # no certificates to read
        for i in range(count + 1):
            start = time.perf_counter()
            response = await client.post(path, json=body)
            response.raise_for_status()
            if i:  # the first one opens the connection
                times.append(time.perf_counter() - start)


async def measure(address: str, text: str, requests: int) -> None:
    health = httpx.get(f"{address}/health").json()
    path, body = health["path"], {"text": text}
    if health["task"] == "write":
        body |= {"max_new_tokens": 20, "temperature": 0.8}
    elif health["task"] == "answer":
        body = {"question": text, "context": text}
    print(f"{health['architecture']} behind {path}, {requests} requests each")
    print(f"{'clients':>8} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'batch':>6}")
    for clients in (1, 8, 32):
        await asyncio.gather(*(ask(address, path, body, [], 3) for _ in range(clients)))  # compiles what is missing
        before, times = httpx.get(f"{address}/health").json(), []
        start = time.perf_counter()
        await asyncio.gather(*(ask(address, path, body, times, max(1, requests // clients)) for _ in range(clients)))
        took, after = time.perf_counter() - start, httpx.get(f"{address}/health").json()
        p50, p99 = (statistics.quantiles(times, n=100, method="inclusive")[i] * 1e3 for i in (49, 98))
        done = after["requests"] - before["requests"]
        batch = done / (after["batches"] - before["batches"])
        print(f"{clients:>8} {done / took:>11.0f} {p50:>8.1f} {p99:>8.1f} {batch:>6.1f}", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="of a saved model")
    p.add_argument("--requests", type=int, default=1600, help="at each number of clients (default: %(default)s)")
    p.add_argument("--text", default=TEXT, help="that is sent (default: a sentence of twelve words)")
    args = p.parse_args()
    if args.requests < 100:
        p.error(f"--requests must be at least 100 for a 99th percentile, got {args.requests}")
    command = [sys.executable, "-u", SERVER, args.folder, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if "running on" in line:
                break
        else:
            sys.exit("".join(said))
        try:
            asyncio.run(measure("http" + said[-1].split("http")[1].split()[0], args.text, args.requests))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
