"""Word lists that several skills draw from, and names that no list holds."""

NAMES = """Ada Adam Alice Amir Ana Anna Anton Aria Ben Bella Boris Bruno Carla Carlos Chen Clara Dana Daniel David Diego
Elena Elias Ella Emil Emma Erik Eva Felix Finn Fiona Flora Frank Gina Greta Hana Hans Hugo Ida Igor Ines Iris Ivan Jack
Jana Jonas Julia Kai Karim Kate Kenji Lara Laura Lea Leo Lily Lina Lisa Louis Luca Lucy Maja Mara Marco Maria Mark Marta
Max Maya Mei Mia Mila Milan Mina Mona Nadia Nina Noah Nora Olga Oliver Omar Oscar Otto Paula Pedro Peter Petra Pia Rana
Ravi Rita Robert Rosa Ruth Sam Sara Sofia Stella Sven Tara Theo Tina Tom Uma Vera Victor Wei Yara Yuki Zoe""".split()

CITIES = """Amsterdam Athens Austin Barcelona Basel Beijing Berlin Bern Bogota Boston Bremen Brussels Budapest Cairo
Chicago Cologne Copenhagen Dallas Delhi Denver Dresden Dublin Florence Frankfurt Geneva Genoa Ghent Glasgow Hamburg Hanoi
Helsinki Istanbul Jakarta Kyoto Lagos Leipzig Lima Lisbon Liverpool London Lyon Madrid Manila Marseille Miami Milan Montreal
Moscow Mumbai Munich Nairobi Naples Nice Osaka Oslo Oxford Paris Porto Prague Quito Riga Rome Rotterdam Salzburg Santiago
Seattle Seoul Seville Shanghai Sofia Stockholm Sydney Tokyo Toronto Toulouse Turin Utrecht Valencia Venice Vienna Warsaw
Wellington York Zagreb Zurich""".split()

COLOURS = "red blue green yellow orange purple pink brown black white grey silver gold violet".split()
PETS = "cat dog rabbit hamster parrot turtle horse pony goldfish canary".split()
FOODS = "pizza soup pasta rice salad bread cake cheese curry sushi pancakes tacos".split()
JOBS = "baker doctor farmer nurse pilot painter teacher singer driver writer lawyer engineer gardener cook".split()
HOBBIES = "chess tennis painting dancing swimming fishing reading football skiing climbing".split()
THINGS = "apples books cards coins eggs pens stamps stones balls keys shells nuts pears plums cups hats".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
ROOMS = ["kitchen", "bedroom", "bathroom", "hall", "office", "garage", "garden", "living room"]
LANGUAGES = "French German Spanish Italian Dutch Polish Greek Turkish Russian Japanese Chinese Arabic".split()

WORDS = """able about above acid across action after again air all alone also always anger animal answer apple area arm army
around art ask autumn away baby back bad bag ball band bank basket bath beach bean bear beauty bed bee bell belt berry best
better bird bitter black blade blanket blood blue board boat body bone book boot bottle bowl box boy brain branch brave bread
breath brick bridge bright broken brother brown brush bucket build burn bus butter button cake call camera camp candle
car card care cart castle cat chain chair chalk change cheap cheese cherry chest chief child church circle city class clay
clean clear clever clock cloth cloud coast coat cold collar colour comb comfort common copper copy cord cork corn cotton
cough country cover cow crack credit cross crown cruel cup curve cushion dance danger dark daughter day dead deep deer desk
dinner dirty dish doctor dog door doubt dragon drain drawer dress drink driver drop dry dust eagle ear early earth east easy
edge egg elbow empty end engine equal error event every evil eye face fact fall family farm fast fat father feather feeling
fence field fight finger fire first fish flag flame flat floor flour flower fly fold food fool foot force forest fork fox
free fresh friend frog front fruit full future game garden gate ghost giant girl glass glove goat gold good goose grain grape
grass great green grey ground group guide guitar hair half hammer hand happy harbour hard hat head heart heat heavy help
hill history hole home honey hook hope horn horse hospital hour house human ice idea insect iron island jacket jelly jewel
join journey judge juice jump kettle key kick kind king kiss kitchen knee knife knot ladder lady lake lamp land language last
late laugh law lazy lead leaf learn leather left leg lemon lesson letter library light lion lip list little liver lock long
loose loud love lunch machine magic man map market mask meal measure meat memory metal middle milk mind mine minute mirror
money monkey month moon morning mother mountain mouse mouth movie mud muscle music nail name narrow nation neck needle nerve
nest net new night noise normal north nose note number nurse nut ocean offer office oil old onion open orange order oven owl
owner page pain paint paper park part party past paste peace pear pen pencil pepper person phone piano picture pig pin pipe
place plane plant plate play pocket point poison polish pony poor port pot potato powder power price prince print prison
prize process profit public pump pupil purple purse queen question quick quiet rabbit rail rain rat ray reason record red
rice rich right ring river road rock roof room root rose rough round rubber rule run sad safe sail salt sand scale school
science sea seat second secret seed sell sense servant shade shadow shake shame sharp sheep shelf shell ship shirt shoe
shop short shoulder side silk silver simple sister skin skirt sky sleep slow small smell smile smoke smooth snake snow soap
society sock soft song sound soup south space spade spider spoon spring square stage stamp star station steam steel stem
step stick stone stop store storm story street strong sugar summer sun sweet table tail tall taste tea teacher team thick
thin thread thumb thunder ticket tiger time tin tired toe tooth top touch tower town toy train tree trick trouble trousers
true turn twist uncle valley vessel village violin voice wagon walk wall war warm wash water wave wax way weather week
weight west wet wheel whip white wide wife wild wind window wine wing winter wire wise wolf woman wood wool word work world
worm wound writer wrong yard year yellow young zebra zero""".split()

_STARTS = "b br c ch d dr f fl g gr h j k kr l m n p pl r s st t tr v w z".split()
_VOWELS = "a e i o u".split()
_ENDS = "n r l m k t x s nd lt".split()


def invented_word(rng):
    """A word of two or three syllables that no list holds: what is copied or spelt must not be known by heart."""
    syllables = [rng.choice(_STARTS) + rng.choice(_VOWELS) for _ in range(rng.choice((2, 2, 3)))]
    return "".join(syllables) + (rng.choice(_ENDS) if rng.random() < 0.5 else "")


def any_name(rng):
    return rng.choice(NAMES) if rng.random() < 0.7 else invented_word(rng).capitalize()


def any_city(rng):
    return rng.choice(CITIES) if rng.random() < 0.75 else invented_word(rng).capitalize()
