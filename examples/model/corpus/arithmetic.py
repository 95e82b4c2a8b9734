"""Addition and subtraction up to three digits. Held out are pairs of numbers, whatever the wording; sums of two single
digits are all trained, as everything else rests on them."""

from .sample import Turn
from .words import THINGS, any_name

PLAIN = {"+": ["What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?", "What is {a} plus {b}?", "Add {a} and {b}.",
               "Calculate {a} + {b}.", "How much is {a} + {b}?", "What is the sum of {a} and {b}?"],
         "-": ["What is {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} =", "{a}-{b}=?", "What is {a} minus {b}?",
               "Subtract {b} from {a}.", "Calculate {a} - {b}.", "How much is {a} - {b}?", "What is {a} less {b}?"]}
STORIES = {"+": ["{n} has {a} {t} and gets {b} more. How many {t} does {n} have now?",
                 "{n} buys {a} {t} on Monday and {b} {t} on Tuesday. How many {t} is that?",
                 "There are {a} {t} in one box and {b} {t} in another. How many {t} are there?"],
           "-": ["{n} has {a} {t} and gives {b} away. How many {t} are left?", "{n} had {a} {t} and lost {b}. How many {t} are left?",
                 "There are {a} {t} on the table. {n} takes {b}. How many {t} remain?"]}


def number(rng):
    """As many one- and two-digit numbers as are needed; most have three."""
    return rng.randrange(10 ** rng.choices((1, 2, 3), (1, 3, 5))[0])


def columns(a, b, sign):
    """Column by column from the right, as it is learnt at school; a >= b where it is a subtraction."""
    steps, carry, place = [], 0, 1
    while place <= max(a, b):
        x, y = a // place % 10, b // place % 10
        if sign == "+":
            total = x + y + carry
            steps.append(f"{x} + {y}" + (f" + {carry}" if carry else "") + f" = {total}, write {total % 10}")
            carry = total // 10
        else:
            total = x - y - carry
            steps.append(f"{x} - {y}" + (f" - {carry}" if carry else "") + f" = {total}, write {total % 10}")
            carry = int(total < 0)
        place *= 10
    return ". ".join(steps) + (f". Carry {carry}" if carry and sign == "+" else "") + "."


def work_out(a, b, sign):
    if sign == "-" and a < b:
        return f"{a} is less than {b}, so I take {b} - {a}. {columns(b, a, '-')} So {a} - {b} = {a - b}."
    return f"{columns(a, b, sign)} So {a} {sign} {b} = {a + b if sign == '+' else a - b}."


def ask(rng):
    sign = rng.choice("+-")
    a, b = number(rng), number(rng)
    is_story = rng.random() < 0.15
    if sign == "-" and a < b and (is_story or rng.random() < 0.7):
        a, b = b, a
    result = a + b if sign == "+" else a - b
    fields = {"a": a, "b": b, "n": any_name(rng), "t": rng.choice(THINGS)}
    question = rng.choice((STORIES if is_story else PLAIN)[sign]).format(**fields)
    key = ("seen:" if max(a, b) < 10 else "") + f"sum:{a}{sign}{b}"
    return Turn(key, question, f"{a} {sign} {b} = {result}.", work_out(a, b, sign), short=str(result), want={"last_number": result})
