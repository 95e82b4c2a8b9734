"""A few hundred facts, each asked in several ways. Held out are pairs of fact and wording, never a fact."""

from . import fact_tables as tables
from .sample import Turn, articles, capital


class Relation:
    """`questions` and `answer` have {s} for the subject and {o} for the object."""

    def __init__(self, name, table, questions, answer, thought):
        self.name, self.pairs, self.questions, self.answer, self.thought = name, list(table.items()), questions, answer, thought

    def ask(self, rng):
        subject, obj = rng.choice(self.pairs)
        wording = rng.randrange(len(self.questions))
        say = lambda text: capital(articles(text.format(s=subject, o=obj)))
        short = obj.split()[0] if self.name == "unit" else obj
        return Turn(f"fact:{self.name}:{subject}:{wording}", say(self.questions[wording]), say(self.answer), say(self.thought),
                    short=short, want={"contains": short})


def reverse(table):
    return {value: key for key, value in table.items()}


def following(items):
    return {item: items[(i + 1) % len(items)] for i, item in enumerate(items)}


def preceding(items):
    return reverse(following(items))


RELATIONS = [
    Relation("capital", tables.CAPITALS,
             ["What is the capital of {s}?", "Which city is the capital of {s}?", "Name the capital of {s}.",
              "Tell me the capital of {s}.", "What is {s}'s capital?", "What's the capital of {s}?", "Capital of {s}?",
              "The capital of {s} is?", "Do you know the capital of {s}?", "What is the capital city of {s}?"],
             "The capital of {s} is {o}.", "The user asks for the capital of {s}. It is {o}."),
    Relation("country", reverse(tables.CAPITALS),
             ["{s} is the capital of which country?", "Which country has the capital {s}?", "Of which country is {s} the capital?",
              "What country has {s} as its capital?", "Which country's capital is {s}?"],
             "{s} is the capital of {o}.", "The user asks which country {s} is the capital of. It is {o}."),
    Relation("continent", tables.CONTINENTS,
             ["On which continent is {s}?", "Which continent is {s} on?", "Where is {s}?", "{s} is on which continent?",
              "Tell me the continent of {s}.", "What continent is {s} on?"],
             "{s} is in {o}.", "The user asks for the continent of {s}. It is {o}."),
    Relation("currency", tables.CURRENCIES,
             ["What is the currency of {s}?", "Which currency is used in {s}?", "What money do people use in {s}?",
              "What do people pay with in {s}?", "Name the currency of {s}.", "How do you pay in {s}?"],
             "The currency of {s} is the {o}.", "The user asks for the money of {s}. It is the {o}."),
    Relation("language", tables.SPOKEN,
             ["Which language is spoken in {s}?", "What language do people speak in {s}?", "What is the language of {s}?",
              "What do people speak in {s}?", "Name the language of {s}.", "Which language do they speak in {s}?"],
             "People in {s} speak {o}.", "The user asks for the language of {s}. It is {o}."),
    Relation("colour", tables.COLOUR_OF,
             ["What colour is {s}?", "Which colour does {s} have?", "What is the colour of {s}?", "Tell me the colour of {s}.",
              "What color is {s}?", "Which colour is {s}?"],
             "{s} is {o}.", "The user asks for the colour of {s}. It is {o}."),
    Relation("opposite", tables.OPPOSITES,
             ["What is the opposite of {s}?", "Name the opposite of {s}.", "What is the contrary of {s}?",
              "Tell me the opposite of {s}.", "Which word means the opposite of {s}?", "Opposite of {s}?"],
             "The opposite of {s} is {o}.", "The user asks for the opposite of {s}. It is {o}."),
    Relation("young", tables.YOUNG,
             ["What is a young {s} called?", "What do you call a baby {s}?", "What is the young of a {s} called?",
              "Name the young of a {s}.", "What is a baby {s} called?"],
             "A young {s} is called a {o}.", "The young of a {s} is a {o}."),
    Relation("sound", tables.SOUNDS,
             ["What sound does a {s} make?", "What does a {s} say?", "Which sound does a {s} make?", "How does a {s} sound?",
              "What noise does a {s} make?"],
             "A {s} says {o}.", "The sound of a {s} is {o}."),
    Relation("legs", tables.LEGS,
             ["How many legs does a {s} have?", "How many legs has a {s}?", "Tell me how many legs a {s} has.",
              "What is the number of legs of a {s}?"],
             "A {s} has {o} legs.", "A {s} has {o} legs."),
    Relation("symbol", tables.ELEMENTS,
             ["What is the chemical symbol of {s}?", "What is the symbol for {s}?", "Which symbol stands for {s}?",
              "Name the chemical symbol of {s}.", "How is {s} written in chemistry?", "Symbol of {s}?"],
             "The chemical symbol of {s} is {o}.", "The user asks for the symbol of {s}. It is {o}."),
    Relation("element", reverse(tables.ELEMENTS),
             ["Which element has the symbol {s}?", "What does {s} stand for in chemistry?", "Which element is {s}?",
              "The symbol {s} stands for which element?"],
             "{s} stands for {o}.", "The symbol {s} is {o}."),
    Relation("unit", tables.UNITS,
             ["How many {s}?", "Tell me how many {s}.", "Do you know how many {s}?", "Can you say how many {s}?"],
             "There are {o}.", "I remember how many {s}: {o}."),
    Relation("month_after", following(tables.MONTHS),
             ["Which month comes after {s}?", "What month follows {s}?", "What is the month after {s}?", "Name the month after {s}.",
              "What is the next month after {s}?"],
             "{o} comes after {s}.", "After {s} comes {o}."),
    Relation("month_before", preceding(tables.MONTHS),
             ["Which month comes before {s}?", "What is the month before {s}?", "Name the month before {s}.",
              "What month is just before {s}?"],
             "{o} comes before {s}.", "Before {s} comes {o}."),
    Relation("month_days", tables.MONTH_DAYS,
             ["How many days does {s} have?", "How many days are in {s}?", "How long is {s} in days?", "How many days has {s}?"],
             "{s} has {o} days.", "{s} has {o} days."),
    Relation("day_after", following(tables.DAYS),
             ["Which day comes after {s}?", "What day follows {s}?", "What is the day after {s}?", "Name the day after {s}.",
              "If today is {s}, what day is tomorrow?"],
             "{o} comes after {s}.", "After {s} comes {o}."),
    Relation("day_before", preceding(tables.DAYS),
             ["Which day comes before {s}?", "What is the day before {s}?", "Name the day before {s}.",
              "If today is {s}, what day was yesterday?"],
             "{o} comes before {s}.", "Before {s} comes {o}."),
    Relation("planet_after", {a: b for a, b in zip(tables.PLANETS, tables.PLANETS[1:])},
             ["Which planet comes after {s}?", "What planet follows {s}?", "What is the next planet after {s}?",
              "Name the planet after {s}."],
             "{o} comes after {s}.", "After {s} comes {o}."),
    Relation("sides", tables.SIDES,
             ["How many sides does a {s} have?", "How many sides has a {s}?", "Tell me how many sides a {s} has.",
              "What is the number of sides of a {s}?"],
             "A {s} has {o} sides.", "A {s} has {o} sides."),
    Relation("author", tables.AUTHORS,
             ["Who wrote {s}?", "Who is the author of {s}?", "Name the author of {s}.", "{s} was written by whom?",
              "Which author wrote {s}?"],
             "{s} was written by {o}.", "The author of {s} is {o}."),
    Relation("plural", tables.PLURALS,
             ["What is the plural of {s}?", "Name the plural of {s}.", "What do you call more than one {s}?", "Plural of {s}?"],
             "The plural of {s} is {o}.", "The plural of {s} is {o}."),
    Relation("kind", tables.KINDS,
             ["What is a {s}?", "What kind of thing is a {s}?", "Tell me what a {s} is.", "Do you know what a {s} is?"],
             "A {s} is {o}.", "The user asks what a {s} is. It is {o}."),
]


def count():
    return sum(len(relation.pairs) for relation in RELATIONS)


_WEIGHTS = [len(relation.pairs) ** 0.75 for relation in RELATIONS]


def ask(rng):
    return rng.choices(RELATIONS, _WEIGHTS)[0].ask(rng)
