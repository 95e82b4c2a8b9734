"""The tools that conversations declare: what they are called, what they take, how people ask for them, what they return."""

from .words import COLOURS, DAYS, LANGUAGES, ROOMS, THINGS, any_city, any_name, invented_word


class Slot:
    """An argument: the names it may have in a declaration, its schema, and how a value is made."""

    def __init__(self, names, description, type_, make, enum=None):
        self.names, self.description, self.make = names.split(), description, make
        self.schema = {"type": type_, "description": description} | ({"enum": enum} if enum else {})


class Tool:
    """`asks` maps a wording to the slots it fills; `gives` makes the result; `tells` says it."""

    def __init__(self, names, descriptions, slots, asks, gives, tells, required=None):
        self.names, self.descriptions, self.slots, self.asks = names.split(), descriptions, slots, asks
        self.gives, self.tells, self.required = gives, tells, required if required is not None else list(slots)


def whole(low, high):
    return lambda rng: rng.randrange(low, high)


def one_of(items):
    return lambda rng: rng.choice(items)


CITY = Slot("city location place town", "Name of the city", "string", any_city)
UNIT = Slot("unit units scale", "Unit of the temperature", "string", one_of(["celsius", "fahrenheit"]), ["celsius", "fahrenheit"])
PERSON = Slot("to recipient person contact", "Who gets it", "string", any_name)
TEXTS = ["I am late", "see you soon", "call me", "happy birthday", "dinner is ready", "the train is late", "thank you", "good luck",
         "where are you", "I am at home", "bring some milk", "the meeting is over"]
TEXT = Slot("text message body content", "The text", "string", one_of(TEXTS))
DAY = Slot("day weekday date", "Day of the week", "string", one_of(DAYS))
HOUR = Slot("hour time at", "Hour of the day", "integer", whole(0, 24))
MINUTES = Slot("minutes duration length", "Number of minutes", "integer", whole(1, 120))
ROOM = Slot("room area place", "The room", "string", one_of(ROOMS))
MONEY = ["USD", "EUR", "GBP", "JPY", "CHF", "CNY"]
SONGS = ["Yesterday", "Imagine", "Hey Jude", "Waterloo", "Thriller", "Help", "Angel", "Hello", "Diamonds", "Fever"]
TOPICS = ["football", "science", "music", "politics", "space", "weather", "films", "history", "cars", "art"]
EVENTS = ["meeting", "lunch", "dinner", "party", "lesson", "concert", "exam", "visit", "trip", "match"]
FOODS = ["pizza", "soup", "pasta", "salad", "sushi", "curry"]

TOOLS = {
    "weather": Tool("get_weather weather fetch_weather current_weather lookup_weather",
        ["Get the weather of a city", "Current weather in a place", "Look up the weather"], {"c": CITY, "u": UNIT},
        {"What is the weather in {c}?": "c", "How is the weather in {c}?": "c", "Tell me the weather in {c}.": "c", "Is it warm in {c} today?": "c",
         "What's the weather like in {c}?": "c", "Weather in {c}, please.": "c", "What is the weather in {c} in {u}?": "cu",
         "Give me the weather of {c} in {u}.": "cu"},
        lambda rng, a: {"condition": rng.choice(["sunny", "rainy", "cloudy", "windy", "snowy", "foggy"]), "temperature": rng.randrange(-10, 40)},
        lambda a, r: f"In {a['c']} it is {r['condition']} with {r['temperature']} degrees.", required=["c"]),
    "time": Tool("get_time current_time local_time clock", ["Get the local time of a city", "What time it is somewhere"], {"c": CITY},
        {"What time is it in {c}?": "c", "What is the time in {c}?": "c", "Tell me the time in {c}.": "c", "How late is it in {c}?": "c"},
        lambda rng, a: {"time": f"{rng.randrange(24):02}:{rng.randrange(60):02}"}, lambda a, r: f"It is {r['time']} in {a['c']}."),
    "message": Tool("send_message message send_text text_person", ["Send a message to a person", "Send a text to a contact"], {"p": PERSON, "t": TEXT},
        {"Send {p} the message '{t}'.": "pt", "Text {p}: {t}": "pt", "Tell {p} '{t}'.": "pt", "Write to {p}: {t}": "pt", "Message {p} that says '{t}'.": "pt"},
        lambda rng, a: {"status": "sent"}, lambda a, r: f"I sent your message to {a['p']}."),
    "timer": Tool("set_timer timer start_timer", ["Start a timer", "Set a timer for some minutes"], {"m": MINUTES},
        {"Set a timer for {m} minutes.": "m", "Start a timer of {m} minutes.": "m", "Wake me in {m} minutes.": "m", "{m} minutes timer, please.": "m"},
        lambda rng, a: {"status": "started"}, lambda a, r: f"The timer runs for {a['m']} minutes."),
    "alarm": Tool("set_alarm alarm create_alarm", ["Set an alarm", "Create an alarm at an hour"], {"h": HOUR, "d": DAY},
        {"Set an alarm for {h} o'clock.": "h", "Wake me at {h} o'clock.": "h", "Set an alarm for {d} at {h} o'clock.": "hd",
         "Wake me on {d} at {h} o'clock.": "hd"},
        lambda rng, a: {"status": "set"}, lambda a, r: f"The alarm is set for {a['h']} o'clock.", required=["h"]),
    "calendar": Tool("add_event create_event calendar_add schedule", ["Add an event to the calendar", "Put something into the calendar"],
        {"e": Slot("title event name", "What it is", "string", one_of(EVENTS)), "d": DAY, "h": HOUR},
        {"Add a {e} on {d} at {h} o'clock.": "edh", "Plan a {e} for {d} at {h} o'clock.": "edh", "Put a {e} into my calendar: {d}, {h} o'clock.": "edh"},
        lambda rng, a: {"status": "added"}, lambda a, r: f"The {a['e']} is in your calendar on {a['d']} at {a['h']} o'clock."),
    "convert": Tool("convert_currency currency exchange convert_money", ["Convert an amount of money", "Convert between currencies"],
        {"n": Slot("amount value sum", "How much", "integer", whole(1, 1000)), "f": Slot("from source from_currency", "Currency code", "string", one_of(MONEY)),
         "t": Slot("to target to_currency", "Currency code", "string", one_of(MONEY))},
        {"Convert {n} {f} to {t}.": "nft", "How much is {n} {f} in {t}?": "nft", "What are {n} {f} in {t}?": "nft", "Change {n} {f} into {t}.": "nft"},
        lambda rng, a: {"result": rng.randrange(1, 2000)}, lambda a, r: f"{a['n']} {a['f']} are {r['result']} {a['t']}."),
    "translate": Tool("translate translate_text translator", ["Translate a text", "Translate text into a language"],
        {"t": TEXT, "l": Slot("language target to", "Target language", "string", one_of(LANGUAGES))},
        {"Translate '{t}' into {l}.": "tl", "How do you say '{t}' in {l}?": "tl", "What is '{t}' in {l}?": "tl"},
        lambda rng, a: {"translation": f"{invented_word(rng)} {invented_word(rng)}"}, lambda a, r: f"In {a['l']} it is '{r['translation']}'."),
    "music": Tool("play_music play play_song music", ["Play a song", "Play music"], {"s": Slot("song title track", "Name of the song", "string", one_of(SONGS))},
        {"Play {s}.": "s", "Play the song {s}.": "s", "I want to hear {s}.": "s", "Put on {s}, please.": "s"},
        lambda rng, a: {"status": "playing"}, lambda a, r: f"Now playing {a['s']}."),
    "search": Tool("search web_search search_web find", ["Search the web", "Look something up"], {"q": Slot("query text q", "What to look for", "string",
        lambda rng: f"{rng.choice(COLOURS)} {rng.choice(THINGS)}" if rng.random() < 0.5 else f"{rng.choice(TOPICS)} in {any_city(rng)}")},
        {"Search for {q}.": "q", "Search the web for {q}.": "q", "Look up {q}.": "q", "Find {q} on the web.": "q"},
        lambda rng, a: {"hits": rng.randrange(1, 900)}, lambda a, r: f"I found {r['hits']} pages about {a['q']}."),
    "lights": Tool("set_light light switch_light lamp", ["Switch a lamp on or off", "Control the light of a room"],
        {"r": ROOM, "s": Slot("state power mode", "on or off", "string", one_of(["on", "off"]), ["on", "off"])},
        {"Turn {s} the light in the {r}.": "sr", "Switch {s} the lamp in the {r}.": "sr", "Turn the {r} light {s}.": "sr", "Light {s} in the {r}, please.": "sr"},
        lambda rng, a: {"status": "done"}, lambda a, r: f"The light in the {a['r']} is {a['s']}."),
    "heating": Tool("set_temperature heating set_heating thermostat", ["Set the temperature of a room", "Control the heating"],
        {"r": ROOM, "g": Slot("degrees temperature celsius", "Degrees celsius", "integer", whole(10, 30))},
        {"Set the {r} to {g} degrees.": "rg", "Heat the {r} to {g} degrees.": "rg", "Make it {g} degrees in the {r}.": "rg"},
        lambda rng, a: {"status": "done"}, lambda a, r: f"The {a['r']} will have {a['g']} degrees."),
    "stock": Tool("get_stock stock_price share_price quote", ["Get the price of a share", "Price of a stock"],
        {"s": Slot("symbol ticker share", "Ticker symbol", "string", lambda rng: "".join(rng.choice("ABCDEFGHIKLMNOPRSTVXZ") for _ in range(rng.choice((3, 4)))))},
        {"What is the price of {s}?": "s", "How much is a share of {s}?": "s", "Stock price of {s}?": "s", "What does {s} trade at?": "s"},
        lambda rng, a: {"price": rng.randrange(1, 900)}, lambda a, r: f"{a['s']} stands at {r['price']}."),
    "news": Tool("get_news news headlines", ["Get news about a topic", "Read the headlines"], {"t": Slot("topic subject about", "Topic", "string", one_of(TOPICS))},
        {"What is new in {t}?": "t", "Give me the news about {t}.": "t", "Any news on {t}?": "t", "Show me the headlines about {t}.": "t"},
        lambda rng, a: {"headlines": rng.randrange(1, 40)}, lambda a, r: f"There are {r['headlines']} headlines about {a['t']}."),
    "order": Tool("order_food order place_order", ["Order something to eat", "Order food"],
        {"n": Slot("quantity count number", "How many", "integer", whole(1, 12)), "f": Slot("dish food item", "What to order", "string", one_of(FOODS))},
        {"Order {n} {f}.": "nf", "I want {n} {f}, please.": "nf", "Get me {n} {f}.": "nf"},
        lambda rng, a: {"minutes": rng.randrange(10, 90)}, lambda a, r: f"Your order of {a['n']} {a['f']} comes in {r['minutes']} minutes."),
    "flight": Tool("find_flight search_flights flights book_flight", ["Find a flight", "Search flights between cities"],
        {"f": Slot("from origin departure", "Where it starts", "string", any_city), "t": Slot("to destination arrival", "Where it goes", "string", any_city), "d": DAY},
        {"Find a flight from {f} to {t} on {d}.": "ftd", "I want to fly from {f} to {t} on {d}.": "ftd", "Is there a flight from {f} to {t} on {d}?": "ftd"},
        lambda rng, a: {"flight": f"{rng.choice('ABKLSU')}{rng.choice('ABFHRX')}{rng.randrange(100, 999)}"}, lambda a, r: f"Flight {r['flight']} goes from {a['f']} to {a['t']} on {a['d']}."),
    "distance": Tool("get_distance distance how_far route", ["Distance between two cities", "How far two places are apart"],
        {"f": Slot("from start origin", "First city", "string", any_city), "t": Slot("to end destination", "Second city", "string", any_city)},
        {"How far is it from {f} to {t}?": "ft", "What is the distance between {f} and {t}?": "ft", "How many kilometres from {f} to {t}?": "ft"},
        lambda rng, a: {"kilometres": rng.randrange(20, 9000)}, lambda a, r: f"It is {r['kilometres']} kilometres from {a['f']} to {a['t']}."),
    "dice": Tool("roll_dice dice random_number", ["Roll a die", "Roll a die with some sides"], {"s": Slot("sides faces max", "Number of sides", "integer", whole(4, 100))},
        {"Roll a die with {s} sides.": "s", "Throw a {s} sided die.": "s", "Roll a {s} sided die, please.": "s"},
        lambda rng, a: {"value": rng.randrange(1, a["s"] + 1)}, lambda a, r: f"The die shows {r['value']}."),
    "note": Tool("create_note note save_note remember", ["Save a note", "Write a note"], {"t": TEXT},
        {"Make a note: {t}": "t", "Note down '{t}'.": "t", "Save the note '{t}'.": "t"},
        lambda rng, a: {"id": rng.randrange(1, 999)}, lambda a, r: f"I saved note {r['id']}."),
    "phone": Tool("call_person call phone dial", ["Call a person", "Make a phone call"], {"p": Slot("name person contact who", "Whom to call", "string", any_name)},
        {"Call {p}.": "p", "Phone {p}, please.": "p", "I want to talk to {p}.": "p", "Ring up {p}.": "p"},
        lambda rng, a: {"status": "calling"}, lambda a, r: f"I am calling {a['p']}."),
    "stockroom": Tool("check_stock stock_level inventory count_items", ["How many of an item are in stock", "Check the inventory"],
        {"i": Slot("item product article", "Name of the item", "string", lambda rng: f"{rng.choice(COLOURS)} {rng.choice(THINGS)}")},
        {"How many {i} are in stock?": "i", "Do we have {i}?": "i", "Check the stock of {i}.": "i"},
        lambda rng, a: {"count": rng.randrange(0, 500)}, lambda a, r: f"There are {r['count']} {a['i']} in stock."),
}
