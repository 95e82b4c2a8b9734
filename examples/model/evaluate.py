"""How well a checkpoint answers the evaluation set, and whether an artifact made from it answers alike.

    python examples/model/evaluate.py CHECKPOINT                                   the reference's scores
    python examples/model/evaluate.py CHECKPOINT --artifact X.kimi --bin build/bin   and ours, item by item

The reference is transformers on the dequantised weights in float32. Ours is kimi-serve, asked over HTTP for the same
prompt; that its layout and tokenizer give the reference's ids is checked for every item. Answers are greedy. Every item
that differs is listed with the reference's lead of its token over the second, where the two part.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import chat
import dequantise
import grade

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 160  # tokens of an answer


def read_items(most):
    lines = (HERE / "evaluation.jsonl").read_text().splitlines()
    step = max(1, len(lines) // most) if most else 1
    return [json.loads(line) for line in lines[::step]]


def layout_of(folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    return "thinking" if "<think>" in settings["chat_template"] else "0905"


def ask_reference(checkpoint, tokenizer, prompts, guesses, device):
    """[(token, lead)] for each prompt; `guesses`, where there are any, only save time."""
    import reference  # torch is needed here only
    with tempfile.TemporaryDirectory() as folder:
        dequantise.dequantise(checkpoint, pathlib.Path(folder), "f32")
        model = reference.load(folder, device=device)
    if guesses:
        return reference.confirm(model, prompts, guesses, tokenizer.end, LIMIT)
    return reference.generate_all(model, prompts, tokenizer.end, LIMIT)


class Server:
    """kimi-serve on an artifact, for as long as the `with` block runs."""

    def __init__(self, program, artifact):
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.process = subprocess.Popen([program, artifact, "--host", "127.0.0.1", "--port", "0"], stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        while self.process.poll() is None:
            if found := re.search(r"listening on (http://\S+)", pathlib.Path(self.log.name).read_text()):
                self.url = found[1]
                return self
            time.sleep(0.05)
        sys.exit("kimi-serve did not start:\n" + pathlib.Path(self.log.name).read_text())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as reply:
            return json.load(reply)

    def answer(self, item, prompt):
        """The ids of the answer; the server must have rendered `prompt` itself."""
        chat_request = {"messages": item["messages"]} | ({"tools": item["tools"]} if "tools" in item else {})
        rendered = self.post("/v1/chat/completions/render", chat_request)
        ids = rendered.get("ids", rendered.get("prompt_token_ids"))
        if ids != prompt:
            sys.exit(f"the server renders other ids than examples/model/chat.py for {chat_request}:\n{ids}\n{prompt}")
        reply = self.post("/v1/completions", {"prompt": prompt, "max_tokens": LIMIT, "temperature": 0, "return_token_ids": True})
        return reply["choices"][0]["token_ids"]


def ask_artifact(program, artifact, items, prompts):
    with Server(program, artifact) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(server.answer, items, prompts))


def table(items, columns):
    """Rows of skills, columns of name → list of right or wrong."""
    by_skill = collections.defaultdict(list)
    for i, item in enumerate(items):
        by_skill[item["skill"]].append(i)
    by_skill["all"] = range(len(items))
    print("| skill | items | " + " | ".join(columns) + " |\n|---|--:|" + "--:|" * len(columns))
    for skill, indices in by_skill.items():
        scores = [f"{100 * sum(rights[i] for i in indices if rights[i] is not None) / max(1, sum(rights[i] is not None for i in indices)):.1f} %"
                  if any(rights[i] is not None for i in indices) else "" for rights in columns.values()]
        print(f"| {skill} | {len(indices)} | " + " | ".join(scores) + " |")


def grade_all(items, texts, name):
    rights = [grade.is_right(item["want"], text) for item, text in zip(items, texts)]
    valid = [grade.is_valid_json(item["want"], text) if "json" in item["want"] else None for item, text in zip(items, texts)]
    return {name: rights, f"{name}: valid JSON": valid}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--artifact", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build" / "bin")
    parser.add_argument("--items", type=int, help="about so many items instead of all")
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers of each skill")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    items, tokenizer = read_items(args.items), chat.Tokenizer(args.checkpoint / "tiktoken.model")
    layout = layout_of(args.checkpoint)
    prompts = [chat.render(tokenizer, layout, item["messages"], item.get("tools"), for_answer=True)[0] for item in items]
    ours = ask_artifact(args.bin / "kimi-serve", args.artifact, items, prompts) if args.artifact else None
    answers = ask_reference(args.checkpoint, tokenizer, prompts, ours, args.device)
    texts = [tokenizer.decode([token for token, _ in answer]) for answer in answers]
    columns = grade_all(items, texts, "reference")
    if ours:
        columns |= grade_all(items, [tokenizer.decode(ids) for ids in ours], "ours")
        columns["same answer"] = [[token for token, _ in answer] == ids for answer, ids in zip(answers, ours)]
    table(items, columns)
    shown = collections.Counter()
    for item, text, right in zip(items, texts, columns["reference"]):
        if not right and shown[item["skill"]] < args.wrong:
            shown[item["skill"]] += 1
            print(f"wrong {item['skill']}: {item['messages'][-1]['content']!r} -> {text!r}, wanted {item['want']}")
    if ours:
        sys.exit(report_differences(tokenizer, items, answers, ours))


def report_differences(tokenizer, items, answers, ours):
    """Whether too many differ: one in a hundred may."""
    pairs = [([token for token, _ in answer], ids) for answer, ids in zip(answers, ours)]
    different = [i for i, (theirs, mine) in enumerate(pairs) if theirs != mine]
    print(f"{len(items) - len(different)} of {len(items)} answers are the same")
    for i in different:
        theirs, mine = pairs[i]
        at = next((k for k, (a, b) in enumerate(zip(theirs, mine)) if a != b), min(len(theirs), len(mine)))
        print(f"differs in {items[i]['skill']} at token {at}, where the reference leads by {answers[i][at][1]:.4f}: "
              f"{tokenizer.decode(theirs)!r} and {tokenizer.decode(mine)!r}")
    return len(different) > len(items) // 100


if __name__ == "__main__":
    main()
