"""serve.py: the answers are the pipeline's, requests share batches, wrong input is answered with what was wrong."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

import minigrad as mg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A folder with an untrained BERT of two labels."""
    from minigrad.text import WordTokenizer
    from models.bert import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = WordTokenizer.from_texts(["a good film", "a bad film"])
    mg.manual_seed(1)
    config = BertConfig(
        len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).eval().save(folder, tokenizer, labels=["negative", "positive"])
    return folder


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A folder with an untrained GPT over characters, 32 of context."""
    from minigrad.text import CharacterTokenizer
    from models.gpt import GPT, GPTConfig

    folder = tmp_path_factory.mktemp("gpt")
    tokenizer = CharacterTokenizer.from_texts(["abcdefgh "])
    mg.manual_seed(1)
    model = GPT(GPTConfig(len(tokenizer), block_size=32, n_layer=1, n_head=2, n_embd=16))
    with mg.no_grad():
        for p in model.parameters():
            p.mul_(10)  # far from even odds, so that the likeliest token is the same however it is computed
    model.eval().save(folder, tokenizer)
    return folder


@pytest.fixture
def client(monkeypatch):
    """client(folder, **limits): a browser without a page, on a server in this process."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from serve import application
    from starlette.testclient import TestClient

    opened = []

    def make(folder: Path, **limits: object) -> TestClient:
        opened.append(TestClient(application(mg.pipeline(folder), "here", **limits), raise_server_exceptions=False))
        return opened[-1].__enter__()

    yield make
    for each in opened:
        each.__exit__(None, None, None)
    for name in ("serve", "serving", "training"):
        sys.modules.pop(name, None)


def lines(response):
    return [json.loads(line) for line in response.text.splitlines()]


def test_classifies_as_the_pipeline_does(client, classifier):
    web, pipe = client(classifier), mg.pipeline(classifier)
    found, expected = web.post("/classify", json={"text": "good film"}).json(), pipe("good film")
    assert found["label"] == expected["label"] and found["score"] == pytest.approx(expected["score"])
    assert found["probabilities"] == pytest.approx(expected["probabilities"])
    several = web.post("/classify", json={"texts": ["good", "bad film"]}).json()
    assert [each["label"] for each in several] == [each["label"] for each in pipe(["good", "bad film"])]
    health = web.get("/health").json()
    assert health["status"] == "ok" and health["task"] == "classify" and health["requests"] == 2
    assert "<form" in web.get("/").text


def test_generates_as_the_pipeline_does_and_streams(client, writer):
    web, pipe = client(writer), mg.pipeline(writer)
    parts = lines(web.post("/generate", json={"text": "e", "max_new_tokens": 12, "temperature": 0}))
    assert parts[-1].pop("finish") in ("length", "stop") and 1 < parts[-1].pop("tokens") <= 12
    assert parts[-1] == {"done": True} and len(parts) > 3
    assert "e" + "".join(part["text"] for part in parts[:-1]) == pipe("e", max_new_tokens=12)


@pytest.mark.parametrize("task", ["classify", "generate"])
def test_requests_that_arrive_together_are_one_batch_with_the_same_answers(client, classifier, writer, task):
    web = client(classifier if task == "classify" else writer, max_batch=4, max_wait=2000.0)
    asked = [{"text": text} for text in (["good", "bad film", "film", "good bad"] if task == "classify"
                                         else ["a", "abc", "hg fe", "dd"])]  # fmt: skip
    if task == "generate":
        asked = [{**each, "max_new_tokens": 4 + i, "temperature": 0} for i, each in enumerate(asked)]
    found: list = [None] * 4

    def ask(i: int) -> None:
        found[i] = web.post(f"/{task}", json=asked[i]).text

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert web.get("/health").json()["batches"] == 1
    pipe = mg.pipeline(classifier if task == "classify" else writer)
    for each, text in zip(asked, found, strict=True):
        if task == "classify":
            assert json.loads(text)["probabilities"] == pytest.approx(pipe(each["text"])["probabilities"], abs=1e-6)
        else:
            pieces = [json.loads(line).get("text", "") for line in text.splitlines()]
            assert each["text"] + "".join(pieces) == pipe(each["text"], max_new_tokens=each["max_new_tokens"])


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/classify", b"{", 400, "no JSON"),
        ("/classify", b"[1]", 422, "expected a JSON object, got list"),
        ("/classify", b"{}", 422, "either 'text' or 'texts'"),
        ("/classify", b'{"text": 3}', 422, "'text' must be a text, got 3"),
        ("/classify", b'{"txt": "a"}', 422, "unknown field 'txt'"),
        ("/classify", b'{"text": "a \\ud800"}', 422, r"'text' is no valid Unicode: '\ud800' at 2"),
        ("/classify", b'{"texts": []}', 422, "a list of 1 to 16 texts"),
        ("/classify", json.dumps({"text": "a" * 101}).encode(), 413, "101 characters; at most 100"),
        ("/classify", b'{"text": "' + b"a" * 50_000 + b'"}', 413, "larger than"),
        ("/generate", b'{"text": "a"}', 404, "a model for /classify"),
        ("/nothing", b"{}", 404, "POST /classify"),
    ],
)
def test_wrong_requests_are_answered(client, classifier, path, body, status, said):
    response = client(classifier, max_chars=100).post(path, content=body)
    assert response.status_code == status and said in response.json()["error"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_new_tokens": 0}, "positive whole number"),
        ({"max_new_tokens": 40}, "do not fit the model's context of 32"),
        ({"temperature": -1}, "temperature must be"),
        ({"temperature": 10**400}, "temperature must be"),
        ({"repetition_penalty": 10**400}, "repetition_penalty must be"),
        ({"temperature": "hot"}, "'temperature' must be a number"),
        ({"top_k": 1.5}, "'top_k' must be a whole number"),
        ({"top_p": 2}, "top_p must be"),
    ],
)
def test_wrong_settings_are_answered(client, writer, more, said):
    response = client(writer).post("/generate", json={"text": "abc", **more})
    assert response.status_code == 422 and said in response.json()["error"]
    assert client(writer).get("/generate").status_code == 405


def test_a_full_queue_refuses(client, classifier, monkeypatch):
    web = client(classifier, max_queue=1, max_wait=0)
    import serving

    began, go, call = threading.Event(), threading.Event(), serving.Worker.attempt

    def slow(self, batch):
        began.set()
        go.wait(30)
        call(self, batch)

    monkeypatch.setattr(serving.Worker, "attempt", slow)
    threads = [threading.Thread(target=lambda: web.post("/classify", json={"text": "good"})) for _ in range(2)]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    while not web.get("/health").json()["waiting"]:
        pass
    response = web.post("/classify", json={"text": "bad"})
    assert response.status_code == 503 and response.headers["Retry-After"] == "1"
    go.set()
    for each in threads:
        each.join()


@pytest.fixture
def connections():
    """Connections that stay open until the server, a fixture set up later, has ended."""
    opened: list[socket.socket] = []
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def served(classifier):
    """The address of a server in a process of its own, which Ctrl-C ends."""
    command = [sys.executable, "-u", str(EXAMPLES / "serve.py"), str(classifier), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "running on" in line:
                    break
            yield "http" + line.split("http")[1].split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=30)
            finally:
                process.kill()
            assert process.returncode in (0, 130, -signal.SIGINT)


def test_the_script_serves_until_it_is_interrupted(served):
    asked = urllib.request.Request(f"{served}/classify", data=b'{"text": "good film"}')
    with urllib.request.urlopen(asked, timeout=30) as response:
        assert json.load(response)["label"] in ("negative", "positive")


def test_a_client_that_never_ends_its_request_holds_up_neither_others_nor_the_end(connections, served):
    host, port = served.removeprefix("http://").rstrip("/").split(":")
    connections.append(socket.create_connection((host, int(port))))
    connections[0].sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n{")
    with urllib.request.urlopen(f"{served}/health", timeout=30) as response:
        assert json.load(response)["status"] == "ok"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_in_a_browser(served, tmp_path):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-quic", f"--user-data-dir={tmp_path}",
             "--virtual-time-budget=8000", "--dump-dom"]  # fmt: skip
    found = subprocess.run(
        [str(CHROMIUM), *flags, f"{served}/?text=good%20film%20%3Cb%3E"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert 'data-state="answered"' in found.stdout and "positive</td>" in found.stdout
    assert '<div id="problem" role="alert"></div>' in found.stdout


def test_wrong_flags(tmp_path):
    for flags, said in ((["--port", "70000"], "--port must be"), ([], "folder: ")):
        command = [sys.executable, str(EXAMPLES / "serve.py"), str(tmp_path / "none"), *flags]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert found.returncode and said in found.stderr and "Traceback" not in found.stderr
