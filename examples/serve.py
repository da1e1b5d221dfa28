"""Serve a saved model over HTTP: a classifier, a span finder or a text generator, whatever the folder holds.

    python examples/train_classifier.py                                 writes runs/classifier/model
    python examples/serve.py runs/classifier/model                      then open http://127.0.0.1:8000/
    curl -d '{"text": "a charming film"}' http://127.0.0.1:8000/classify
    curl -N -d '{"text": "Once upon a time", "temperature": 0.8}' http://127.0.0.1:8000/generate

    GET  /health     what is served, and how busy it is
    GET  /           a page to try it
    POST /classify   {"text": ...}, or {"texts": [...]} for several: label, score, probabilities (or a label a token)
    POST /answer     {"question": ..., "context": ...}: the span that answers, for a BERT with a span head
    POST /generate   {"text": ..., "max_new_tokens", "temperature", "top_k", "top_p", "repetition_penalty"}: one JSON
                     object a line as the text grows, {"text": piece}, and at last {"done": true, "tokens", "finish"}

Requests that arrive within --max-wait milliseconds are computed as one batch. What cannot be answered gets a 4xx status
and {"error": what was wrong}. There is no access control: do not listen on a public address. Needs the extra `api`.
"""

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # models/ lies beside examples/

import training
from serving import Job, Refused, Worker

import minigrad as mg
from models.generation import Sampling

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route
except ImportError:
    sys.exit("this script needs starlette and uvicorn: pip install 'minigrad[api]'")

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "serve.html")
PATHS = {
    "classify": "/classify",
    "tag": "/classify",
    "answer": "/answer",
    "write": "/generate",
    "translate": "/generate",
}
SETTINGS = {"temperature": 1.0, "top_k": None, "top_p": None, "repetition_penalty": 1.0}  # of /generate, with defaults
SECONDS_TO_END = 3  # after Ctrl-C, for answers that are on their way; a client that never ends its request gets no more
BODY_BYTES_PER_CHAR = 12  # JSON may write one character as two \uXXXX escapes


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="of a saved model: weights, config.json, tokenizer")
    p.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only)")
    p.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    p.add_argument("--max-batch", type=int, default=16, help="texts computed together (default: %(default)s)")
    p.add_argument(
        "--max-wait", type=float, default=3.0, metavar="MS", help="for others to join (default: %(default)s)"
    )
    p.add_argument("--max-queue", type=int, default=256, help="requests that may wait (default: %(default)s)")
    p.add_argument("--max-chars", type=int, default=10_000, help="characters of a text (default: %(default)s)")
    p.add_argument("--device", default=None, help="cpu or cuda (default: $MINIGRAD_DEVICE, else cpu)")
    p.add_argument("--threads", type=int, help="of the kernels; 1 where other programs are running (default: all)")
    args = p.parse_args()
    training.check_positive(p, args, "max_batch", "max_queue", "max_chars")
    if not 0 <= args.port < 65536:
        p.error(f"--port must be from 0 to 65535, got {args.port}")
    if not 0 <= args.max_wait < math.inf:
        p.error(f"--max-wait must be a number of milliseconds, got {args.max_wait}")
    return args


def application(pipe: Any, name: str, max_batch: int = 16, max_wait: float = 3.0, max_queue: int = 256,
                max_chars: int = 10_000) -> Starlette:  # fmt: skip
    """The web application for one pipeline. Its thread starts and ends with it."""
    worker = Worker(pipe, max_batch, max_wait / 1000, max_queue)

    async def health(request: Request) -> Response:
        return JSONResponse({
            "status": "ok", "model": name, "architecture": type(pipe.model).__name__, "task": pipe.task,
            "path": PATHS[pipe.task], "max_chars": max_chars, "max_tokens": pipe.max_length, "waiting":
            len(worker.waiting), "requests": worker.jobs, "batches": worker.batches,
        })  # fmt: skip

    async def page(request: Request) -> Response:
        with open(PAGE, encoding="utf-8") as file:
            return HTMLResponse(file.read())

    async def body_of(request: Request, allowed: set[str]) -> dict[str, Any]:
        """The JSON object of a request, with no field but the allowed ones; Refused with 400, 413 or 422 otherwise."""
        if PATHS[pipe.task] != request.url.path:
            raise Refused(404, f"{name} is a model for {PATHS[pipe.task]}, not for {request.url.path}")
        raw, limit = b"", BODY_BYTES_PER_CHAR * max_chars * (max_batch if "texts" in allowed else 1) + 10_000
        async for chunk in request.stream():  # counted as it comes: a length that is announced may be wrong
            raw += chunk
            if len(raw) > limit:
                raise Refused(413, f"the request is larger than {limit} bytes")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"the body is no JSON: {error}") from None
        if not isinstance(body, dict):
            raise Refused(422, f"expected a JSON object, got {type(body).__name__}")
        if unknown := sorted(set(body) - allowed):
            raise Refused(422, f"unknown field {unknown[0]!r}; known: {', '.join(sorted(allowed))}")
        return body

    def text_in(body: dict[str, Any], field: str) -> str:
        text = body.get(field)
        if not isinstance(text, str):
            raise Refused(422, f"{field!r} must be a text, got {json.dumps(text)[:40]}")
        if len(text) > max_chars:
            raise Refused(413, f"{field!r} has {len(text)} characters; at most {max_chars} are taken")
        try:
            text.encode()
        except UnicodeEncodeError as error:  # JSON may write half of a surrogate pair
            raise Refused(422, f"{field!r} is no valid Unicode: {text[error.start]!a} at {error.start}") from None
        return text

    async def classify(request: Request) -> Response:
        body = await body_of(request, {"text", "texts"})
        if ("text" in body) == ("texts" in body):
            raise Refused(422, "give either 'text' or 'texts'")
        if "text" in body:
            texts = [text_in(body, "text")]
        else:
            given = body["texts"]
            if not isinstance(given, list) or not 0 < len(given) <= max_batch:
                raise Refused(422, f"'texts' must be a list of 1 to {max_batch} texts")
            texts = [text_in({f"texts[{i}]": each}, f"texts[{i}]") for i, each in enumerate(given)]
        found = await answered(Job({"texts": texts}, size=len(texts)))
        return JSONResponse(found[0] if "text" in body else found)

    async def answer(request: Request) -> Response:
        body = await body_of(request, {"question", "context"})
        return JSONResponse(await answered(Job({key: text_in(body, key) for key in ("question", "context")})))

    async def answered(job: Job) -> Any:
        worker.submit(job)
        return await job.get()

    async def generate(request: Request) -> Response:
        writes = pipe.task == "write"
        body = await body_of(request, {"text", *(("max_new_tokens", *SETTINGS) if writes else ())})
        text = text_in(body, "text")
        if not writes:  # translated as a whole: beam search knows its text only at the end
            (found,) = await answered(Job({"texts": [text]}))
            lines = [{"text": found}, {"done": True, "finish": "stop"}]
            return Response("".join(json.dumps(each) + "\n" for each in lines), media_type="application/x-ndjson")
        count = body.get("max_new_tokens")
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise Refused(422, f"'max_new_tokens' must be a positive whole number, got {json.dumps(count)[:40]}")
        job = Job({"text": text, "max_new_tokens": count}, together=settings_in(body))
        worker.submit(job)
        first = await job.get()  # before the status goes out: a prompt that does not fit is a 422

        async def lines() -> AsyncIterator[str]:
            part = first
            try:
                while True:
                    yield json.dumps(part) + "\n"
                    if part.get("done"):
                        return
                    part = await job.get()
            except Exception as error:  # the status has gone out; the last line says what happened
                yield json.dumps({"error": str(error)}) + "\n"
            finally:
                job.done = True  # also where the client has gone: nothing more is computed for it

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    def settings_in(body: dict[str, Any]) -> dict[str, Any]:
        chosen = {}
        for field, default in SETTINGS.items():
            value = body.get(field, default)
            whole = field == "top_k"
            if value is not None and (isinstance(value, bool) or not isinstance(value, int if whole else int | float)):
                raise Refused(422, f"{field!r} must be a {'whole ' * whole}number, got {json.dumps(value)[:40]}")
            chosen[field] = default if value is None else value
        try:
            Sampling(**chosen)
        except ValueError as error:
            raise Refused(422, str(error)) from None
        return chosen

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse({"error": str(error)}, error.status, error.headers)

    async def not_served(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = "GET / and /health, POST " + PATHS[pipe.task]
        return JSONResponse({"error": f"{error.detail}; there are {known}"}, error.status_code, error.headers)

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "the model failed; the server's output says why"}, 500)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()

    return Starlette(
        routes=[
            Route("/", page), Route("/health", health), Route("/classify", classify, methods=["POST"]),
            Route("/answer", answer, methods=["POST"]), Route("/generate", generate, methods=["POST"]),
        ],
        exception_handlers={Refused: refused, HTTPException: not_served, ClientDisconnect: gone, Exception: failed},
        lifespan=lifespan,
    )  # fmt: skip


def main() -> None:
    args = arguments()
    device = training.chosen_device(args.device)
    training.use_threads(args.threads)
    uvicorn = training.need("uvicorn")
    pipe = training.or_exit(lambda: mg.pipeline(args.folder, device=device, batch_size=args.max_batch), "folder")
    name = os.path.basename(os.path.abspath(args.folder))
    app = application(pipe, name, args.max_batch, args.max_wait, args.max_queue, args.max_chars)
    print(f"{pipe!r} answers POST {PATHS[pipe.task]}; Ctrl-C ends it", flush=True)
    uvicorn.run(app, host=args.host, port=args.port, log_level="info", access_log=False,
                timeout_graceful_shutdown=SECONDS_TO_END)  # fmt: skip


if __name__ == "__main__":
    main()
