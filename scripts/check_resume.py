"""Show that an interrupted training run, resumed, prints the very losses that an undisturbed one prints.

    python scripts/check_resume.py

A small GPT is trained for 60 steps, undisturbed. Then it is stopped in four ways, and resumed each time; the next 20
losses, printed with repr(), must be equal to the last bit. The last two ways run once more with an empty kernel cache,
so that the resumed process compiles the kernels which the stopped one had loaded.
"""

import os
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SCRIPT = os.path.join(ROOT, "examples", "train_gpt.py")
FLAGS = [
    *(
        "--layers",
        "2",
        "--channels",
        "32",
        "--heads",
        "2",
        "--block-size",
        "32",
        "--batch-size",
        "8",
        "--dropout",
        "0.1",
    ),
    *("--steps", "60", "--warmup", "5", "--eval-every", "10", "--sample-length", "0", "--print-losses"),
]

# Runs the script, but dies (as from a power cut) in the middle of writing its third checkpoint.
DIE_WHILE_SAVING = """
import os, runpy, sys
plain, calls = os.fsync, []
def fsync(handle):
    calls.append(handle)
    if len(calls) == 3:
        os.ftruncate(handle, 1000)
        os._exit(9)
    plain(handle)
os.fsync = fsync
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start(out: str, *more: str, cache: str | None = None, code: str | None = None) -> subprocess.Popen:
    command = [sys.executable, *(["-c", code] if code else []), SCRIPT, *FLAGS, "--out", out, *more]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if cache:
        environment["NUMBA_CACHE_DIR"] = cache
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def losses_of(process: subprocess.Popen, stop_at: int | None = None, how: int | None = None) -> dict[int, str]:
    """{step: repr of its loss} as printed; sends the signal `how` when step `stop_at` has been printed."""
    found: dict[int, str] = {}
    for line in process.stdout:
        if line.startswith("loss "):
            _, step, value = line.split()
            found[int(step)] = value
            if stop_at and int(step) == stop_at:
                process.send_signal(how)
    process.wait()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = losses_of(start(os.path.join(folder, "whole")))
        if len(undisturbed) != 60:
            sys.exit("the undisturbed run did not finish")
        print(f"undisturbed: 60 losses, the last {undisturbed[60]}")
        ways = {
            "Ctrl-C at step 23": (23, signal.SIGINT, None),
            "Ctrl-C at step 40, where a checkpoint is due": (40, signal.SIGINT, None),
            "killed at step 37": (37, signal.SIGKILL, None),
            "killed while writing a checkpoint": (None, None, DIE_WHILE_SAVING),
        }
        wrong = 0
        for i, (way, (step, how, code)) in enumerate(ways.items()):
            for cache in (None, os.path.join(folder, f"cache{i}")) if i > 1 else (None,):
                out = os.path.join(folder, f"run{i}{bool(cache)}")
                first = losses_of(start(out, code=code), step, how)
                resumed = losses_of(start(out, "--resume", cache=cache))
                begin = min(resumed, default=0)
                compared = [n for n in range(begin, begin + 20) if n <= 60]
                equal = bool(begin) and all(resumed.get(n) == undisturbed[n] for n in compared) and len(compared) == 20
                wrong += not equal
                state = "empty" if cache else "warm"
                print(
                    f"{way}, {state} kernel cache: ran to step {max(first, default=0)}, resumed at {begin}, "
                    f"{len(compared)} losses {'equal' if equal else 'DIFFER'}"
                )
        sys.exit(f"{wrong} runs differ" if wrong else 0)


if __name__ == "__main__":
    main()
