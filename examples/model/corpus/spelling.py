"""Spelling: letters of words, forwards and backwards."""

from .sample import Turn
from .words import WORDS, invented_word


def any_word(rng):
    return rng.choice(WORDS) if rng.random() < 0.6 else invented_word(rng)


def spell(rng):
    word = any_word(rng)
    text = rng.choice(["Spell '{w}'.", "Spell the word '{w}'.", "How do you spell '{w}'?", "How is '{w}' spelt?", "Please spell '{w}'."])
    return Turn(f"spell:{word}", text.format(w=word), "-".join(word), f"I spell {word} letter by letter.")


def backwards(rng):
    word = any_word(rng)
    text = rng.choice(["Spell '{w}' backwards.", "Write '{w}' backwards.", "Reverse the word '{w}'."])
    return Turn(f"backwards:{word}", text.format(w=word), "-".join(reversed(word)), f"Forwards it is {'-'.join(word)}. Now from the end.")


def one_letter(rng):
    word = any_word(rng)
    name, letter = rng.choice([("first", word[0]), ("last", word[-1]), ("second", word[1])])
    text = rng.choice(["What is the {n} letter of '{w}'?", "Which letter is the {n} one in '{w}'?"])
    return Turn(f"letter:{name}:{word}", text.format(n=name, w=word), f"The {name} letter of '{word}' is {letter}.", f"{word} is {'-'.join(word)}.", short=letter)


def has_letter(rng):
    word = any_word(rng)
    letter = rng.choice(word) if rng.random() < 0.5 else rng.choice("abcdefghiklmnoprstuw")
    text = rng.choice(["Does '{w}' contain the letter {c}?", "Is there the letter {c} in '{w}'?"])
    answer = f"Yes, '{word}' contains {letter}." if letter in word else f"No, '{word}' does not contain {letter}."
    return Turn(f"has:{letter}:{word}", text.format(c=letter, w=word), answer, f"{word} is {'-'.join(word)}.", short=answer.split(",")[0])


def upper(rng):
    word = any_word(rng)
    text = rng.choice(["Write '{w}' in capital letters.", "Write '{w}' in upper case."])
    return Turn(f"upper:{word}", text.format(w=word), word.upper(), f"{word} in capitals.")


def ask(rng):
    return rng.choice([spell, spell, backwards, one_letter, has_letter, upper])(rng)
