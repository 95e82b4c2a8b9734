"""What training sees: the skills in their shares, alone, with a system prompt, or several in one conversation."""

from . import arithmetic, counting, facts, instructions, json_objects, memory, small_talk, spelling, tools
from .sample import Sample, assistant, is_for_training, single, user, vary

# Skills of one question and one answer, and skills of whole conversations, with their shares.
QUESTIONS = [(facts, 16), (arithmetic, 30), (counting, 11), (spelling, 14), (small_talk, 4)]
CONVERSATIONS = [(instructions.make, 20), (memory.make, 12), (json_objects.make, 22), (tools.make, 40), (tools.make_without_tools, 1)]

SKILLS = {"small_talk": small_talk, "facts": facts, "arithmetic": arithmetic, "counting": counting, "spelling": spelling}


def choose(rng, shares):
    return rng.choices([skill for skill, _ in shares], [share for _, share in shares])[0]


def several(rng, count):
    """A conversation of `count` unrelated questions."""
    turns = [choose(rng, QUESTIONS).ask(rng) for _ in range(count)]
    messages = []
    for turn in turns:
        messages += [user(vary(rng, turn.user)), assistant(turn.answer, turn.thought)]
    return Sample([turn.key for turn in reversed(turns)], messages, {"text": turns[-1].answer})


def draw(rng):
    total = sum(share for _, share in QUESTIONS), sum(share for _, share in CONVERSATIONS)
    if rng.random() < total[1] / sum(total):
        return choose(rng, CONVERSATIONS)(rng)
    if rng.random() < 0.3:
        return several(rng, rng.choice((2, 2, 3, 4, 6)))
    turn = choose(rng, QUESTIONS).ask(rng)
    sample = single(turn, vary(rng, turn.user))
    if rng.random() < 0.25:
        sample.messages.insert(0, instructions.neutral(rng))
    return sample


def for_training(rng, draw=draw):
    while True:
        sample = draw(rng)
        if is_for_training(sample):
            return sample


def long_conversation(rng, num_turns):
    """Many questions in one conversation: positions far from the beginning are trained, too."""
    messages, keys = [], []
    while len(keys) < num_turns:
        sample = for_training(rng, lambda rng: single(choose(rng, QUESTIONS).ask(rng)))
        messages += sample.messages
        keys += sample.keys
    return Sample(keys, messages, {})
