"""JSON objects for a described schema: the text says the values, the schema says the keys, their order and their types."""

import json

from .sample import Sample, articles, assistant, system, user
from .words import COLOURS, DAYS, FOODS, HOBBIES, JOBS, LANGUAGES, MONTHS, PETS, ROOMS, THINGS, any_city, any_name, invented_word


class Field:
    """A value, the keys it may be asked for under, and its JSON type."""

    def __init__(self, keys, type_, make):
        self.keys, self.type, self.make = keys.split(), type_, make


def whole(low, high):
    return lambda rng: rng.randrange(low, high)


def one_of(items):
    return lambda rng: rng.choice(items)


def some_of(items):
    return lambda rng: rng.sample(items, rng.choice((1, 2, 2, 3)))


def title(rng):
    return f"{rng.choice(COLOURS).capitalize()} {rng.choice(THINGS)}" if rng.random() < 0.5 else invented_word(rng).capitalize()


NAME = Field("name full_name person first_name who", "string", any_name)
AGE = Field("age years age_in_years", "integer", whole(1, 99))
CITY = Field("city town home location", "string", any_city)
JOB = Field("job profession work occupation", "string", one_of(JOBS))
COLOUR = Field("colour color paint shade", "string", one_of(COLOURS))
COUNT = Field("count number amount quantity", "integer", whole(2, 100))
THING = Field("item thing product article", "string", one_of(THINGS))
PRICE = Field("price cost price_in_euros", "integer", whole(1, 500))
DAY = Field("day weekday date", "string", one_of(DAYS))
HOUR = Field("hour time start", "integer", whole(0, 24))
TITLE = Field("title name book", "string", title)
YEAR = Field("year published year_published", "integer", whole(1800, 2026))
PETS_FIELD = Field("pets animals", "array of strings", some_of(PETS))
FOODS_FIELD = Field("foods dishes likes", "array of strings", some_of(FOODS))
LANGUAGES_FIELD = Field("languages speaks", "array of strings", some_of(LANGUAGES))
HOBBY = Field("hobby pastime free_time", "string", one_of(HOBBIES))
ROOM = Field("room place", "string", one_of(ROOMS))
MONTH = Field("month born birth_month", "string", one_of(MONTHS))
DEGREES = Field("temperature degrees celsius", "integer", whole(-20, 40))
ON = Field("on is_on active switched_on", "boolean", lambda rng: rng.random() < 0.5)
MARRIED = Field("married is_married has_partner", "boolean", lambda rng: rng.random() < 0.5)
STOCK = Field("in_stock available is_available", "boolean", lambda rng: rng.random() < 0.5)
FROM = Field("from origin start departure", "string", any_city)
TO = Field("to destination goal arrival", "string", any_city)

# Texts with the fields they tell, in any order of keys. A boolean chooses between two texts: {x:yes words|no words}.
STORIES = [
    ("{n} is {a} years old.", {"n": NAME, "a": AGE}),
    ("{n} is {a} years old and lives in {c}.", {"n": NAME, "a": AGE, "c": CITY}),
    ("{n} from {c} is a {j}.", {"n": NAME, "c": CITY, "j": JOB}),
    ("{n}, a {j} of {a} years, lives in {c}.", {"n": NAME, "j": JOB, "a": AGE, "c": CITY}),
    ("{n} was born in {m} and likes {h}.", {"n": NAME, "m": MONTH, "h": HOBBY}),
    ("{n} works as a {j} and is {b:married|not married}.", {"n": NAME, "j": JOB, "b": MARRIED}),
    ("{n} has these pets: {p}.", {"n": NAME, "p": PETS_FIELD}),
    ("{n} lives in {c} and speaks {l}.", {"n": NAME, "c": CITY, "l": LANGUAGES_FIELD}),
    ("{n} is {a} years old and likes to eat {f}.", {"n": NAME, "a": AGE, "f": FOODS_FIELD}),
    ("We sell {k} {t} for {p} euros.", {"k": COUNT, "t": THING, "p": PRICE}),
    ("The {o} {t} cost {p} euros and are {b:in stock|sold out}.", {"o": COLOUR, "t": THING, "p": PRICE, "b": STOCK}),
    ("Please send {k} {o} {t} to {n}.", {"k": COUNT, "o": COLOUR, "t": THING, "n": NAME}),
    ("The meeting with {n} is on {d} at {u} o'clock.", {"n": NAME, "d": DAY, "u": HOUR}),
    ("{n} wrote the book {i} in {y}.", {"n": NAME, "i": TITLE, "y": YEAR}),
    ("The book {i} from {y} costs {p} euros.", {"i": TITLE, "y": YEAR, "p": PRICE}),
    ("On {d} it was {g} degrees in {c}.", {"d": DAY, "g": DEGREES, "c": CITY}),
    ("The lamp in the {r} is {o} and is {b:on|off}.", {"r": ROOM, "o": COLOUR, "b": ON}),
    ("The train goes from {s} to {e} on {d} at {u} o'clock.", {"s": FROM, "e": TO, "d": DAY, "u": HOUR}),
    ("{n} travels from {s} to {e} in {m}.", {"n": NAME, "s": FROM, "e": TO, "m": MONTH}),
]


def in_text(value):
    return value if not isinstance(value, list) else " and ".join([", ".join(value[:-1])] * (len(value) > 1) + value[-1:])


def tell(text, values):
    for slot, value in values.items():
        if isinstance(value, bool):
            begin = text.index("{" + slot + ":")
            end = text.index("}", begin)
            yes, no = text[begin + 3 : end].split("|")
            text = text[:begin] + (yes if value else no) + text[end + 1 :]
        else:
            text = text.replace("{" + slot + "}", str(in_text(value)))
    return articles(text)


def schema_of(keys):
    """JSON schema of key → type."""
    types = {"array of strings": {"type": "array", "items": {"type": "string"}}}
    return {"type": "object", "properties": {key: types.get(type_, {"type": type_}) for key, type_ in keys.items()}, "required": list(keys)}


def describe(rng, keys):
    listed = ", ".join(f"{key} ({type_})" for key, type_ in keys.items())
    names = in_text(list(keys))
    return rng.choice([
        f"Answer with a JSON object with the keys {listed}.", f"Give me a JSON object with {listed}.", f"Write JSON with these fields: {listed}.",
        f"Return a JSON object with the keys {names}.", f"Extract {names} as JSON.",
        f"Answer with a JSON object that matches this schema: {json.dumps(schema_of(keys))}",
        f"Reply in JSON. Schema: {json.dumps(schema_of(keys))}"])


def make(rng):
    text, fields = rng.choice(STORIES)
    values = {slot: field.make(rng) for slot, field in fields.items()}
    slots = rng.sample(list(fields), len(fields) if rng.random() < 0.7 else rng.randrange(1, len(fields) + 1))
    chosen = {}  # key → slot; two fields never share a key
    for slot in slots:
        chosen[rng.choice([key for key in fields[slot].keys if key not in chosen])] = slot
    result = {key: values[slot] for key, slot in chosen.items()}
    types = {key: fields[slot].type for key, slot in chosen.items()}
    story, wanted = tell(text, values), describe(rng, types)
    answer = json.dumps(result, ensure_ascii=False)
    thought = f"The keys are {in_text(list(result))}."
    layout = rng.randrange(3)
    if layout == 0:
        messages = [system(wanted), user(story)]
    else:
        messages = [user(f"{story}\n{wanted}" if layout == 1 else f"{wanted}\n{story}")]
    messages.append(assistant(answer, thought))
    return Sample([f"json:{story}:{list(result)}"], messages, {"json": result, "schema": schema_of(types)})
