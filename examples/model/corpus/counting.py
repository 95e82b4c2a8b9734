"""Counting, comparing and naming numbers."""

from .sample import Turn
from .spelling import any_word

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n):
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    return f"{_ONES[n // 100]} hundred" + (f" {in_words(n % 100)}" if n % 100 else "")


def count_up(rng):
    start, length = rng.randrange(1, 90), rng.randrange(4, 14)
    numbers = ", ".join(map(str, range(start, start + length)))
    text = rng.choice(["Count from {a} to {b}.", "Please count from {a} to {b}.", "Count up from {a} to {b}.", "Can you count from {a} to {b}?"])
    return Turn(f"count:{start}:{length}", text.format(a=start, b=start + length - 1), numbers, f"I count from {start} to {start + length - 1}.")


def count_down(rng):
    end, length = rng.randrange(0, 60), rng.randrange(4, 12)
    numbers = ", ".join(map(str, range(end + length - 1, end - 1, -1)))
    text = rng.choice(["Count down from {a} to {b}.", "Count backwards from {a} to {b}."])
    return Turn(f"down:{end}:{length}", text.format(a=end + length - 1, b=end), numbers, f"I count down from {end + length - 1} to {end}.")


def neighbour(rng):
    n, after = rng.randrange(1, 999), rng.random() < 0.5
    word, result = ("after", n + 1) if after else ("before", n - 1)
    text = rng.choice(["What number comes {w} {n}?", "Which number comes right {w} {n}?", "Name the number {w} {n}."])
    return Turn(f"next:{word}:{n}", text.format(w=word, n=n), f"{result} comes {word} {n}.", f"The number {word} {n} is {result}.", short=str(result))


def compare(rng):
    a, b = rng.randrange(1000), rng.randrange(1000)
    if a == b:
        b += 1
    bigger = rng.random() < 0.5
    word, result = (rng.choice(["larger", "bigger", "greater"]), max(a, b)) if bigger else ("smaller", min(a, b))
    text = rng.choice(["Which is {w}, {a} or {b}?", "Which number is {w}: {a} or {b}?"])
    return Turn(f"compare:{min(a, b)}:{max(a, b)}", text.format(w=word, a=a, b=b), f"{result} is {word}.", f"I compare {a} and {b}: {result} is {word}.", short=str(result))


def write_number(rng):
    n = rng.randrange(1000)
    if rng.random() < 0.5:
        text = rng.choice(["Write {n} in words.", "How do you write {n} in words?", "Spell out the number {n}."])
        return Turn(f"words:{n}", text.format(n=n), in_words(n), f"The number {n} in words.")
    text = rng.choice(["Write {w} as a number.", "Which number is {w}?", "Write {w} in digits."])
    return Turn(f"digits:{n}", text.format(w=in_words(n)), str(n), f"The words {in_words(n)} as a number.", short=str(n))


def letters(rng):
    word = any_word(rng)
    text = rng.choice(["How many letters does '{w}' have?", "How many letters are in '{w}'?", "Count the letters in '{w}'."])
    spelt = ", ".join(f"{c} {i}" for i, c in enumerate(word, 1))
    return Turn(f"letters:{word}", text.format(w=word), f"'{word}' has {len(word)} letters.", f"I count: {spelt}.", short=str(len(word)))


def ask(rng):
    return rng.choice([count_up, count_up, count_down, neighbour, compare, write_number, letters])(rng)
