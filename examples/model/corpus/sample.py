"""What a skill makes: a question with its answer, or a whole conversation; and what training may not see."""

import dataclasses
import re
import zlib


@dataclasses.dataclass
class Turn:
    """One question and its answer."""

    key: str  # what makes it this question and no other: decides who is held out
    user: str
    answer: str
    thought: str  # what a thinking model writes before the answer
    short: str = ""  # the answer in one word or number; empty: there is none
    want: dict | None = None  # how an answer is graded, see grade.py; none: the exact text


@dataclasses.dataclass
class Sample:
    """A conversation in the form of OpenAI's chat API. Its last message is the answer to train or to grade; assistant
    messages carry `reasoning_content`."""

    keys: list  # its own first, then those of the questions it is made of
    messages: list
    want: dict
    tools: list | None = None


def is_held_out(key):
    """One key in ten is for evaluation only. Keys that begin with "seen:" never are."""
    return not key.startswith("seen:") and zlib.crc32(key.encode()) % 10 == 0


def is_for_training(sample):
    return not any(map(is_held_out, sample.keys))


def user(text):
    return {"role": "user", "content": text}


def assistant(text, thought):
    return {"role": "assistant", "content": text, "reasoning_content": thought}


def system(text):
    return {"role": "system", "content": text}


def capital(text):
    return text[0].upper() + text[1:]


def articles(text):
    """"a" as "an" before a vowel."""
    return re.sub(r"\b([Aa]) (?=[aeiouAEIO])", r"\1n ", text)


def vary(rng, text):
    """The same question as careless people type it."""
    roll = rng.random()
    if roll < 0.10:
        return text.lower()
    if roll < 0.18:
        return text.rstrip("?.!")
    if roll < 0.22:
        return text.lower().rstrip("?.!")
    if roll < 0.26:
        return "Please: " + text
    if roll < 0.30:
        return "Hi! " + text
    return text


def single(turn, text=None):
    """The conversation of one question, asked as `text`."""
    return Sample([turn.key], [user(text or turn.user), assistant(turn.answer, turn.thought)], turn.want or {"text": turn.answer})
