"""Obeying a system prompt: how to answer, who to be."""

from . import arithmetic, counting, facts, small_talk
from .sample import Sample, articles, assistant, system, user, vary
from .words import JOBS, any_name

NEUTRAL = ["You are a helpful assistant.", "You are Kimi.", "You are a friendly assistant.", "You are an assistant that answers questions.",
           "Answer the questions of the user.", "Be helpful and polite.", "You are Kimi, an AI assistant created by Moonshot AI."]
ENDINGS = ["Over.", "Cheers!", "Sir.", "Bye.", "Done.", "Captain.", "Thank you.", "Ahoy!"]
STARTS = ["Well,", "Sure:", "Answer:", "Listen:", "Aye!", "Hello!", "My friend,", "Sir,"]

# Name → (ways to ask for it, what becomes of an answer, whether it needs the short form)
STYLES = {
    "short": (["Answer in one word.", "Answer with one word only.", "Reply with a single word.", "One word answers only.",
               "Use exactly one word in your answers.", "Please answer in one word."], lambda turn: turn.short, True),
    "upper": (["Answer in upper case.", "Write everything in upper case.", "Use capital letters only.", "Answer in capital letters.",
               "Always write in upper case."], lambda turn: turn.answer.upper(), False),
    "lower": (["Answer in lower case.", "Write everything in lower case.", "Use small letters only.", "Never use capital letters."],
              lambda turn: turn.answer.lower(), False),
    "upper_short": (["Answer in one word and in upper case.", "One word in capital letters, nothing else.",
                     "Reply with a single word in upper case."], lambda turn: turn.short.upper(), True),
}


def style_of(rng):
    """(key, the instruction, what to do with a turn, whether that needs the short form)"""
    roll = rng.random()
    if roll < 0.7:
        name = rng.choice(list(STYLES))
        wordings, apply, needs_short = STYLES[name]
        return name, rng.choice(wordings), apply, needs_short
    if roll < 0.85:
        end = rng.choice(ENDINGS)
        text = rng.choice(["End every answer with '{e}'", "Always end your answers with '{e}'", "Finish each answer with '{e}'"])
        return f"end {end}", text.format(e=end), lambda turn: f"{turn.answer} {end}", False
    start = rng.choice(STARTS)
    text = rng.choice(["Begin every answer with '{s}'", "Always start your answers with '{s}'", "Start each answer with '{s}'"])
    return f"start {start}", text.format(s=start), lambda turn: f"{start} {turn.answer}", False


def one_word(turn):
    return turn.short and " " not in turn.short


def ask_for(rng, needs_short):
    while True:
        turn = rng.choices([facts, arithmetic, counting, small_talk], (6, 2, 1, 1))[0].ask(rng)
        if not needs_short or one_word(turn):
            return turn


def styled(rng):
    key, instruction, apply, needs_short = style_of(rng)
    prompt = instruction if rng.random() < 0.6 else f"{rng.choice(NEUTRAL)} {instruction}"
    turns = [ask_for(rng, needs_short) for _ in range(rng.choices((1, 2, 3), (6, 2, 1))[0])]
    messages = [system(prompt)]
    for turn in turns:
        messages += [user(vary(rng, turn.user)), assistant(apply(turn), f"{turn.thought} The system says: {instruction}")]
    return Sample([f"style:{key}:{turns[-1].key}"] + [turn.key for turn in turns], messages, {"text": apply(turns[-1])})


def persona(rng):
    name, job = any_name(rng), rng.choice(JOBS)
    prompt, who = rng.choice([(f"You are {name}, a {job}.", f"I am {name}, a {job}."), (f"Your name is {name}.", f"I am {name}."),
                              (f"You play the role of {name}, a {job}.", f"I am {name}, a {job}.")])
    question, answer = rng.choice([("Who are you?", who), ("What is your name?", f"My name is {name}."), ("Tell me about yourself.", who)])
    messages = [system(articles(prompt)), user(vary(rng, question)), assistant(articles(answer), f"The system says who I am: {name}.")]
    return Sample([f"persona:{name}:{job}:{question}"], messages, {"text": articles(answer)})


def make(rng):
    return persona(rng) if rng.random() < 0.2 else styled(rng)


def neutral(rng):
    return system(rng.choice(NEUTRAL))


