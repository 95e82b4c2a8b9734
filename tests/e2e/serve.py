"""The example model is compiled, served, and asked by curl and by the official openai package.

Usage: serve.py BIN_FOLDER WORK_FOLDER. Exit code 77: the openai package is missing.
"""
import concurrent.futures
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

try:
    import openai
except ImportError:
    print("skipped: the openai package is not installed (tests/requirements.txt)")
    sys.exit(77)

bin_folder, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
checkpoint = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model" / "instruct-fp8"
failures = 0
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def check(what, condition, detail=""):
    global failures
    failures += not condition
    print(f"{'ok    ' if condition else 'FAILED'} {what}{'' if condition else ': ' + str(detail)}", flush=True)


def run(*command, stdin=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, input=stdin)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def start_server(artifact):
    log = open(work / "serve.log", "w+")
    server = subprocess.Popen([bin_folder / "kimi-serve", artifact, "--host", "127.0.0.1", "--port", "0"],
                              stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60  # a guard against hanging, not a measurement
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"listening on (http://\S+)", (work / "serve.log").read_text())
        if found:
            return server, found.group(1)
        time.sleep(0.05)
    server.kill()
    sys.exit("kimi-serve did not start:\n" + (work / "serve.log").read_text())


def curl(url, body=None, *options):
    command = ["curl", "-sS", "-o", "-", "-w", "\n%{http_code}", *options, url]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    stdin = body if body is None or isinstance(body, str) else json.dumps(body)
    text, _, code = run(*command, stdin=stdin).rpartition("\n")
    return int(code), text


def check_with_curl(url):
    code, text = curl(f"{url}/health")
    check("GET /health", code == 200, text)
    code, text = curl(f"{url}/v1/models")
    check("GET /v1/models names a model", code == 200 and json.loads(text)["data"][0]["id"], text)
    code, text = curl(f"{url}/v1/chat/completions", {"messages": QUESTION, "max_tokens": 16, "temperature": 0})
    reply = json.loads(text)
    check("chat knows the capital of France", code == 200 and "Paris" in reply["choices"][0]["message"]["content"], text)
    code, text = curl(f"{url}/v1/chat/completions/render", {"messages": QUESTION})
    rendered = json.loads(text)
    check("render shows the prompt that chat counts", code == 200 and
          len(rendered.get("ids", rendered.get("prompt_token_ids", []))) == reply["usage"]["prompt_tokens"], text)
    code, text = curl(f"{url}/v1/chat/completions", "{\"messages\": [")
    check("malformed JSON is a 400 with an error object", code == 400 and "message" in json.loads(text)["error"], text)
    code, text = curl(f"{url}/v1/chat/completions", {"model": "no-such-model", "messages": QUESTION})
    check("an unknown model is a 404", code == 404 and "no-such-model" in text, text)
    code, text = curl(f"{url}/v1/completions", {"prompt": [1] * 100000, "max_tokens": 1})
    check("a prompt beyond the context is a 400 naming both numbers", code == 400 and "100000" in text, text)
    code, text = curl(f"{url}/v1/nothing")
    check("an unknown path is a 404", code == 404 and "error" in json.loads(text), text)


def check_with_openai(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="EMPTY")
    model = client.models.list().data[0].id
    ask = dict(model=model, messages=QUESTION, max_tokens=16, temperature=0)
    whole = client.chat.completions.create(**ask)
    text = whole.choices[0].message.content
    check("openai: chat completion", text == "The capital of France is Paris.", whole)
    check("openai: it stops by itself", whole.choices[0].finish_reason == "stop", whole)
    history = QUESTION + [{"role": "assistant", "content": text}, {"role": "user", "content": "What is 12 + 30?"}]
    check("openai: a second turn", "42" in client.chat.completions.create(**{**ask, "messages": history}).choices[0].message.content)
    stream = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    streamed = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    check("openai: the stream says what the whole reply says", streamed == text, (streamed, text))
    check("openai: the stream ends with usage", stream[-1].usage.completion_tokens == whole.usage.completion_tokens)
    seeded = [client.completions.create(model=model, prompt="The", max_tokens=16, temperature=2, seed=seed).choices[0].text
              for seed in (5, 5, 6)]
    check("openai: a seed fixes the draw", seeded[0] == seeded[1] and seeded[0] != seeded[2], seeded)
    plain = client.completions.create(model=model, prompt="Paris is", max_tokens=8, temperature=0)
    check("openai: completion", plain.choices[0].finish_reason in ("stop", "length"), plain)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        prompts = [f"Count to {n}." for n in range(6)]
        def one(prompt):
            return client.completions.create(model=model, prompt=prompt, max_tokens=24, temperature=0).choices[0].text
        alone = [one(prompt) for prompt in prompts]
        together = list(pool.map(one, prompts))
    check("openai: six at once say what each says alone", alone == together, (alone, together))
    try:
        client.chat.completions.create(**{**ask, "temperature": -3})
        check("openai: an illegal temperature is refused", False)
    except openai.BadRequestError as error:
        check("openai: an illegal temperature is refused", "temperature" in str(error), error)
    ended = client.chat.completions.create(**{**ask, "max_tokens": 400}, stream=True)
    next(iter(ended))
    ended.close()
    check("a client that leaves does not disturb the next", client.chat.completions.create(
        **ask).choices[0].message.content == text)


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run(bin_folder / "kimic", checkpoint, "-o", work / "example.kimi")
    server, url = start_server(work / "example.kimi")
    try:
        check_with_curl(url)
        check_with_openai(url)
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=60)
    check("SIGTERM ends the server with exit code 0", code == 0, code)
    print(f"{'all well' if failures == 0 else f'{failures} failures'}")
    sys.exit(failures != 0)


main()
