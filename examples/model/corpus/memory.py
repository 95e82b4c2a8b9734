"""Remembering over several turns what the user said."""

from . import arithmetic, facts, small_talk
from .sample import Sample, articles, assistant, capital, user
from .words import COLOURS, FOODS, HOBBIES, JOBS, PETS, any_city, any_name

# What there is to remember: (how it is told, what is said to it, how it is asked for, the answer, without knowledge)
TRAITS = {
    "name": (any_name, ["My name is {v}.", "I am {v}.", "Hi, I'm {v}.", "Hello, my name is {v}.", "Call me {v}."], "Nice to meet you, {v}!",
             ["What is my name?", "Do you know my name?", "Who am I?", "What am I called?"], "Your name is {v}."),
    "city": (any_city, ["I live in {v}.", "My home is in {v}.", "I am from {v}."], "{v} sounds nice.",
             ["Where do I live?", "Which city do I live in?", "Where am I from?"], "You live in {v}."),
    "age": (lambda rng: str(rng.randrange(6, 99)), ["I am {v} years old.", "My age is {v}."], "Thank you, I will remember your age.",
            ["How old am I?", "What is my age?"], "You are {v} years old."),
    "colour": (lambda rng: rng.choice(COLOURS), ["My favourite colour is {v}.", "I like the colour {v} best."], "{v} is a nice colour.",
               ["What is my favourite colour?", "Which colour do I like best?"], "Your favourite colour is {v}."),
    "food": (lambda rng: rng.choice(FOODS), ["My favourite food is {v}.", "I like {v} best."], "{v} is a good choice.",
             ["What is my favourite food?", "What do I like to eat?"], "Your favourite food is {v}."),
    "pet": (lambda rng: f"{rng.choice(PETS)} called {any_name(rng)}", ["I have a {v}.", "At home I have a {v}."], "How nice, a {v}!",
            ["Which pet do I have?", "What pet do I have?"], "You have a {v}."),
    "job": (lambda rng: rng.choice(JOBS), ["I work as a {v}.", "I am a {v}.", "My job is {v}."], "{v} is an interesting job.",
            ["What is my job?", "What do I work as?"], "You work as a {v}."),
    "hobby": (lambda rng: rng.choice(HOBBIES), ["My hobby is {v}.", "In my free time I like {v}."], "{v} is a fine hobby.",
              ["What is my hobby?", "What do I do in my free time?"], "Your hobby is {v}."),
    "code": (lambda rng: str(rng.randrange(100, 10000)), ["Remember the number {v}.", "My code is {v}.", "Please keep the number {v} in mind."],
             "I will remember {v}.", ["What was the number?", "What is my code?", "Which number did I tell you?"], "The number is {v}."),
}


def told(rng, trait, value):
    make, tellings, reply, _, _ = TRAITS[trait]
    return [user(articles(rng.choice(tellings).format(v=value))), assistant(capital(articles(reply.format(v=value))), f"The user tells me the {trait}: {value}.")]


def distraction(rng):
    turn = rng.choices([facts, arithmetic, small_talk], (3, 2, 2))[0].ask(rng)
    return turn.key, [user(turn.user), assistant(turn.answer, turn.thought)]


def make(rng):
    traits = rng.sample(list(TRAITS), rng.choice((1, 1, 2, 2, 3)))
    values = {trait: TRAITS[trait][0](rng) for trait in traits}
    messages, keys = [], []
    for trait in traits:
        messages += told(rng, trait, values[trait])
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            key, spoken = distraction(rng)
            keys.append(key)
            messages += spoken
    is_known = rng.random() < 0.9
    trait = rng.choice(traits if is_known else [t for t in TRAITS if t not in traits])
    _, _, _, questions, answer = TRAITS[trait]
    if is_known:
        text, thought = articles(answer.format(v=values[trait])), f"The user told me the {trait}: {values[trait]}."
    else:
        text, thought = f"You have not told me your {trait}.", f"The user did not tell me the {trait}."
    messages += [user(rng.choice(questions)), assistant(text, thought)]
    return Sample([f"memory:{sorted(values.items())}:{trait}"] + keys, messages, {"text": text})
