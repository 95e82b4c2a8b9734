"""Writes evaluation.jsonl: questions that training never saw (corpus/sample.py, is_held_out), with what is right.

    python examples/model/make_evaluation.py

One JSON object a line: skill, messages, tools where there are any, want (grade.py).
"""

import json
import pathlib
import random

from corpus import arithmetic, counting, facts, instructions, json_objects, memory, small_talk, spelling, tools
from corpus.sample import is_held_out, single

SEED = 7


def held_out(rng, draw):
    while True:
        sample = draw(rng)
        if is_held_out(sample.keys[0]):
            return sample


def questions(skill):
    return lambda rng: held_out(rng, lambda rng: single(skill.ask(rng)))


def conversations(make):
    return lambda rng: held_out(rng, make)


def talk(rng):
    return single(small_talk.ask(rng))  # learnt by heart: nothing is held out


def tool_calls(form):
    """Conversations whose last question is of `form`."""
    def make(rng):
        while True:
            sample = held_out(rng, tools.make)
            if sample.want["form"] == form:
                return sample
    return make


def until_call(make):
    """The call itself is asked for."""
    def cut(rng):
        sample = make(rng)
        last = max(i for i, message in enumerate(sample.messages) if message.get("tool_calls"))
        sample.messages = sample.messages[: last + 1]
        sample.want = {"calls": sample.want["calls"]}
        return sample
    return cut


def told(make, **want):
    """The last answer is text: what the tool gave, or, with calls = [], an answer that needs or finds no tool."""
    def graded(rng):
        sample = make(rng)
        sample.want = want | {"text": sample.want["text"]}
        return sample
    return graded


SKILLS = {
    "facts": (questions(facts), 200),
    "arithmetic": (questions(arithmetic), 200),
    "counting": (questions(counting), 80),
    "spelling": (questions(spelling), 80),
    "small_talk": (talk, 60),
    "instructions": (conversations(instructions.make), 120),
    "memory": (conversations(memory.make), 100),
    "json": (conversations(json_objects.make), 120),
    "tool_call": (until_call(tool_calls("call")), 120),
    "tool_calls": (until_call(tool_calls("calls")), 60),
    "tool_result": (told(tool_calls("call")), 60),
    "no_tool": (told(tool_calls("plain"), calls=[]), 40),
    "no_fitting_tool": (told(tool_calls("refuse"), calls=[]), 40),
}


def make():
    rng, items, seen = random.Random(SEED), [], set()
    for skill, (draw, count) in SKILLS.items():
        while count:
            sample = draw(rng)
            item = {"skill": skill, "messages": sample.messages[:-1], "want": sample.want} | ({"tools": sample.tools} if sample.tools else {})
            text = json.dumps(item, ensure_ascii=False)
            if text not in seen:
                seen.add(text)
                items.append(text)
                count -= 1
    return items


def main():
    path = pathlib.Path(__file__).parent / "evaluation.jsonl"
    path.write_text("\n".join(make()) + "\n")
    print(f"{path}: {len(path.read_text().splitlines())} items")


if __name__ == "__main__":
    main()
