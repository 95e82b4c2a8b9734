"""Calling tools as Kimi does: choose a declared one, fill its arguments from the question, use the result in the next turn."""

import json

from . import arithmetic, facts, small_talk
from .sample import Sample, articles, assistant, system, user
from .tool_tables import TOOLS

REFUSAL = "I have no tool for that."


class Declared:
    """A tool under the names that one conversation gives it."""

    def __init__(self, rng, kind):
        self.kind, self.tool = kind, TOOLS[kind]
        self.name = rng.choice(self.tool.names)
        self.keys = {}  # slot → name of the argument
        for slot, spec in self.tool.slots.items():
            self.keys[slot] = rng.choice([name for name in spec.names if name not in self.keys.values()])
        self.description = rng.choice(self.tool.descriptions)
        self.is_terse = rng.random() < 0.15  # says nothing of its arguments but name and type

    def declaration(self):
        properties = {self.keys[slot]: {key: value for key, value in spec.schema.items() if key != "description" or not self.is_terse}
                      for slot, spec in self.tool.slots.items()}
        parameters = {"type": "object", "properties": properties, "required": sorted(self.keys[slot] for slot in self.tool.required)}
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": parameters}}

    def arguments(self, values):
        """In the order of the declaration as it is rendered: sorted by name."""
        return dict(sorted((self.keys[slot], value) for slot, value in values.items()))


def declare(rng, kinds):
    """Declarations of `kinds`, no two of one name."""
    declared = []
    for kind in kinds:
        tool = Declared(rng, kind)
        if tool.name not in [other.name for other in declared]:
            declared.append(tool)
    return declared


def values_for(rng, tool, slots):
    values = {slot: tool.slots[slot].make(rng) for slot in slots}
    return values if len(set(map(str, values.values()))) == len(values) else values_for(rng, tool, slots)


class Conversation:
    """Messages as they grow; counts the calls, as ids go through the whole conversation."""

    def __init__(self, rng):
        self.rng, self.messages, self.num_calls = rng, [], 0

    def call(self, calls, thought):
        """`calls`: (Declared, values) each. One assistant message, then one result each; returns the results."""
        listed = []
        for tool, values in calls:
            arguments = json.dumps(tool.arguments(values), ensure_ascii=False)
            listed.append({"id": f"functions.{tool.name}:{self.num_calls}", "type": "function",
                           "function": {"name": tool.name, "arguments": arguments}})
            self.num_calls += 1
        self.messages.append(assistant("", thought) | {"tool_calls": listed})
        results = [tool.tool.gives(self.rng, values) for tool, values in calls]
        for entry, result in zip(listed, results):
            self.messages.append({"role": "tool", "tool_call_id": entry["id"], "name": entry["function"]["name"],
                                  "content": json.dumps(result, ensure_ascii=False)})
        return results


def one_question(rng, tool):
    wording, slots = rng.choice(list(tool.tool.asks.items()))
    values = values_for(rng, tool.tool, slots)
    return articles(wording.format(**values)), values


def ask_one(rng, chat, tool):
    """A question, its call, the answer from the result. Returns what the call should be and what the answer must hold."""
    question, values = one_question(rng, tool)
    chat.messages.append(user(question))
    result, = chat.call([(tool, values)], f"I call {tool.name}.")
    answer = articles(tool.tool.tells(values, result))
    chat.messages.append(assistant(answer, "The tool has answered."))
    return question, [{"name": tool.name, "arguments": tool.arguments(values)}], answer


def ask_several(rng, chat, tool):
    """Two or three calls of one tool in one message."""
    questions = [one_question(rng, tool) for _ in range(rng.choice((2, 2, 3)))]
    text = " ".join(question for question, _ in questions)
    chat.messages.append(user(text))
    results = chat.call([(tool, values) for _, values in questions], f"I call {tool.name} {len(questions)} times.")
    answer = " ".join(articles(tool.tool.tells(values, result)) for (_, values), result in zip(questions, results))
    chat.messages.append(assistant(answer, "The tools have answered."))
    return text, [{"name": tool.name, "arguments": tool.arguments(values)} for _, values in questions], answer


def plain(rng, chat):
    turn = rng.choices([facts, arithmetic, small_talk], (3, 2, 1))[0].ask(rng)
    chat.messages += [user(turn.user), assistant(turn.answer, f"No tool is needed. {turn.thought}")]
    return turn.key, [], turn.answer


def refuse(rng, chat, declared):
    taken = set().union(*({tool.kind} | RELATED.get(tool.kind, set()) for tool in declared))
    other = Declared(rng, rng.choice([kind for kind in TOOLS if kind not in taken]))
    question, _ = one_question(rng, other)
    chat.messages += [user(question), assistant(REFUSAL, "No declared tool fits.")]
    return question, [], REFUSAL


# Tools that could stand in for each other: a question for one is not asked where only the other is declared.
_GROUPS = [{"message", "note", "phone"}, {"timer", "alarm", "calendar"}, {"search", "news"}, {"stock", "stockroom"}, {"flight", "distance"}]
RELATED = {kind: group for group in _GROUPS for kind in group}


def pick_kinds(rng):
    kinds = rng.sample(list(TOOLS), rng.choices((1, 2, 3, 4), (2, 4, 3, 2))[0])
    return [kind for i, kind in enumerate(kinds) if not RELATED.get(kind, set()) & set(kinds[:i])]


def step(rng, chat, declared):
    """(form, what was asked, the calls, the answer)"""
    roll = rng.random()
    if roll < 0.55:
        return "call", *ask_one(rng, chat, rng.choice(declared))
    if roll < 0.70:
        return "calls", *ask_several(rng, chat, rng.choice(declared))
    if roll < 0.82:
        return "plain", *plain(rng, chat)
    if any(tool.kind == "search" for tool in declared):  # a search could answer nearly anything
        return "plain", *plain(rng, chat)
    return "refuse", *refuse(rng, chat, declared)


def make(rng):
    declared = declare(rng, pick_kinds(rng))
    chat = Conversation(rng)
    if rng.random() < 0.25:
        chat.messages.append(system(rng.choice(["You are a helpful assistant.", "Use tools where they help.", "You are Kimi."])))
    keys = []
    for _ in range(rng.choices((1, 2, 3), (5, 3, 1))[0]):
        form, asked, calls, answer = step(rng, chat, declared)
        keys.append(asked if form == "plain" else f"tools:{asked}")
    rng.shuffle(declared)
    want = {"form": form, "calls": calls, "text": answer}
    return Sample([f"tools:{asked}"] + keys, chat.messages, want, [tool.declaration() for tool in declared])


def make_without_tools(rng):
    """A question for a tool where none is declared."""
    question, _ = one_question(rng, Declared(rng, rng.choice(list(TOOLS))))
    return Sample([f"notool:{question}"], [user(question), assistant(REFUSAL, "No tool is declared.")], {"text": REFUSAL})
