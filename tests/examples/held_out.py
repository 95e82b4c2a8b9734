"""The corpus of the example model: nothing held out is trained, and evaluation.jsonl is what its script writes."""
import json
import pathlib
import random
import sys

model = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model"
sys.path.insert(0, str(model))
import grade  # noqa: E402
import make_evaluation  # noqa: E402
from corpus import facts, mixture  # noqa: E402
from corpus.sample import is_held_out  # noqa: E402

failures = 0


def check(what, condition, detail=""):
    global failures
    failures += not condition
    print(f"{'ok    ' if condition else 'FAILED'} {what}{'' if condition else ': ' + str(detail)}")


def prompt_of(messages, tools):
    """What is asked: a question for a tool is another where there is none."""
    return str([(m["role"], m["content"], m.get("tool_calls")) for m in messages] + [bool(tools)])


written = (model / "evaluation.jsonl").read_text().splitlines()
check("evaluation.jsonl is what make_evaluation.py makes", make_evaluation.make() == written)

rng = random.Random(1)
samples = [mixture.for_training(rng) for _ in range(20000)]
held = [key for sample in samples for key in sample.keys if is_held_out(key)]
check("no training sample has a held-out key", not held, held[:3])
share = sum(is_held_out(key) for key in (mixture.draw(rng).keys[0] for _ in range(20000))) / 20000
check("about one question in ten is held out", 0.05 < share < 0.15, share)

trained = {prompt_of(sample.messages[:-1], sample.tools) for sample in samples}
items = [json.loads(line) for line in written]
# Small talk is learnt by heart, also beside tools.
leaked = [item for item in items if item["skill"] not in ("small_talk", "no_tool") and prompt_of(item["messages"], item.get("tools")) in trained]
check("no question of the evaluation set is among 20000 training samples", not leaked, leaked[:2])
check("there are a few hundred facts", 300 < facts.count() < 2000, facts.count())

right = sum(grade.is_right(sample.want, sample.messages[-1]["content"]) for sample in samples if "form" not in sample.want)
total = sum("form" not in sample.want for sample in samples)
check("the corpus's own answers are graded right", right == total, (right, total))
wrong = sum(grade.is_right(sample.want, "No.") for sample in samples if "form" not in sample.want)
check("another answer is graded wrong", wrong < total / 1000, (wrong, total))
sys.exit(failures != 0)
