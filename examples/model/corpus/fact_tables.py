"""The facts themselves."""

from .words import DAYS, MONTHS  # noqa: F401  (tables of their own)


def _pairs(text):
    """"key:value" items, separated by semicolons."""
    return dict(item.strip().split(":") for item in text.replace("\n", " ").strip(" ;").split(";"))


CAPITALS = _pairs("""France:Paris; Germany:Berlin; Italy:Rome; Spain:Madrid; Portugal:Lisbon; Austria:Vienna; Switzerland:Bern;
Belgium:Brussels; Netherlands:Amsterdam; Denmark:Copenhagen; Sweden:Stockholm; Norway:Oslo; Finland:Helsinki;
Iceland:Reykjavik; Ireland:Dublin; England:London; Scotland:Edinburgh; Wales:Cardiff; Poland:Warsaw; Hungary:Budapest;
Romania:Bucharest; Bulgaria:Sofia; Greece:Athens; Turkey:Ankara; Russia:Moscow; Ukraine:Kyiv; Belarus:Minsk; Estonia:Tallinn;
Latvia:Riga; Lithuania:Vilnius; Croatia:Zagreb; Serbia:Belgrade; Slovenia:Ljubljana; Slovakia:Bratislava; Albania:Tirana;
Malta:Valletta; Cyprus:Nicosia; Monaco:Monaco; Egypt:Cairo; Morocco:Rabat; Tunisia:Tunis; Algeria:Algiers; Libya:Tripoli;
Sudan:Khartoum; Kenya:Nairobi; Uganda:Kampala; Rwanda:Kigali; Ghana:Accra; Nigeria:Abuja; Senegal:Dakar; Mali:Bamako;
Angola:Luanda; Zambia:Lusaka; Zimbabwe:Harare; Namibia:Windhoek; Ethiopia:Addis Ababa; Somalia:Mogadishu; Japan:Tokyo;
China:Beijing; India:New Delhi; Nepal:Kathmandu; Pakistan:Islamabad; Bangladesh:Dhaka; Thailand:Bangkok; Vietnam:Hanoi;
Cambodia:Phnom Penh; Laos:Vientiane; Malaysia:Kuala Lumpur; Indonesia:Jakarta; Philippines:Manila; Mongolia:Ulaanbaatar;
South Korea:Seoul; North Korea:Pyongyang; Iran:Tehran; Iraq:Baghdad; Syria:Damascus; Lebanon:Beirut; Jordan:Amman;
Israel:Jerusalem; Qatar:Doha; Oman:Muscat; Yemen:Sanaa; Saudi Arabia:Riyadh; Kuwait:Kuwait City; Georgia:Tbilisi;
Armenia:Yerevan; Kazakhstan:Astana; Uzbekistan:Tashkent; Canada:Ottawa; Mexico:Mexico City; Cuba:Havana; Jamaica:Kingston;
Haiti:Port-au-Prince; Guatemala:Guatemala City; Honduras:Tegucigalpa; Nicaragua:Managua; Panama:Panama City; Colombia:Bogota;
Venezuela:Caracas; Ecuador:Quito; Peru:Lima; Bolivia:La Paz; Chile:Santiago; Argentina:Buenos Aires; Uruguay:Montevideo;
Paraguay:Asuncion; Brazil:Brasilia; Australia:Canberra; New Zealand:Wellington; Fiji:Suva; Samoa:Apia""")
# Two countries whose capital has their own name would make the reverse question ambiguous to read, not to answer.

_CONTINENT_OF = _pairs("""Europe:France,Germany,Italy,Spain,Portugal,Austria,Switzerland,Belgium,Netherlands,Denmark,Sweden,Norway,
Finland,Iceland,Ireland,Poland,Hungary,Romania,Bulgaria,Greece,Ukraine,Estonia,Latvia,Lithuania,Croatia,Serbia,Malta;
Africa:Egypt,Morocco,Tunisia,Algeria,Libya,Sudan,Kenya,Uganda,Rwanda,Ghana,Nigeria,Senegal,Mali,Angola,Zambia,Namibia,Ethiopia;
Asia:Japan,China,India,Nepal,Pakistan,Thailand,Vietnam,Laos,Malaysia,Mongolia,South Korea,Iran,Iraq,Syria,Jordan,Oman;
North America:Canada,Mexico,Cuba,Jamaica,Panama,Honduras; South America:Colombia,Venezuela,Ecuador,Peru,Bolivia,Chile,
Argentina,Uruguay,Paraguay,Brazil; Oceania:Australia,New Zealand,Fiji,Samoa""")
CONTINENTS = {country.strip(): continent for continent, countries in _CONTINENT_OF.items() for country in countries.split(",")}

CURRENCIES = _pairs("""Japan:yen; China:yuan; India:rupee; Russia:rouble; Turkey:lira; Switzerland:franc; Sweden:krona; Norway:krone;
Denmark:krone; Poland:zloty; Hungary:forint; England:pound; Egypt:pound; Canada:dollar; Australia:dollar; Mexico:peso;
Brazil:real; Argentina:peso; Chile:peso; Peru:sol; South Korea:won; Thailand:baht; Vietnam:dong; Indonesia:rupiah;
Malaysia:ringgit; Israel:shekel; Iran:rial; Morocco:dirham; Kenya:shilling; Nigeria:naira; Ghana:cedi; Ukraine:hryvnia;
France:euro; Germany:euro; Italy:euro; Spain:euro; Austria:euro; Greece:euro; Ireland:euro; Finland:euro; Portugal:euro;
Belgium:euro; Romania:leu; Bulgaria:lev; Georgia:lari; Armenia:dram; Bangladesh:taka; Mongolia:tugrik; Cuba:peso""")

SPOKEN = _pairs("""France:French; Germany:German; Austria:German; Italy:Italian; Spain:Spanish; Mexico:Spanish; Chile:Spanish;
Peru:Spanish; Cuba:Spanish; Argentina:Spanish; Portugal:Portuguese; Brazil:Portuguese; Angola:Portuguese; England:English;
Australia:English; Ireland:English; Jamaica:English; Netherlands:Dutch; Denmark:Danish; Sweden:Swedish; Norway:Norwegian;
Finland:Finnish; Poland:Polish; Hungary:Hungarian; Romania:Romanian; Bulgaria:Bulgarian; Greece:Greek; Turkey:Turkish;
Russia:Russian; Ukraine:Ukrainian; Japan:Japanese; China:Chinese; Thailand:Thai; Vietnam:Vietnamese; Egypt:Arabic;
Syria:Arabic; Oman:Arabic; Iran:Persian; Israel:Hebrew; South Korea:Korean; Mongolia:Mongolian; Nepal:Nepali; Croatia:Croatian""")

COLOUR_OF = _pairs("""the sky:blue; the sea:blue; grass:green; a leaf:green; the sun:yellow; a banana:yellow; a lemon:yellow;
snow:white; milk:white; paper:white; a swan:white; coal:black; a raven:black; night:black; blood:red; a tomato:red;
a strawberry:red; a cherry:red; a fire engine:red; a carrot:orange; a pumpkin:orange; a flamingo:pink; a pig:pink;
chocolate:brown; coffee:brown; wood:brown; a violet:purple; a plum:purple; an elephant:grey; a mouse:grey; ash:grey;
a frog:green; a cucumber:green; a polar bear:white; a crow:black; a canary:yellow; an emerald:green; a ruby:red; a sapphire:blue;
chalk:white""")

OPPOSITES = _pairs("""hot:cold; big:small; tall:short; fast:slow; day:night; black:white; open:closed; full:empty; happy:sad;
good:bad; old:new; hard:soft; heavy:light; high:low; near:far; rich:poor; strong:weak; wet:dry; clean:dirty; early:late;
first:last; inside:outside; up:down; left:right; long:brief; loud:quiet; love:hate; true:false; win:lose; young:aged;
wide:narrow; thick:thin; sweet:sour; safe:dangerous; easy:difficult; begin:end; buy:sell; push:pull; sharp:blunt; deep:shallow;
friend:enemy; peace:war; question:answer; summer:winter; brave:cowardly; cheap:expensive; rough:smooth; cruel:kind; alive:dead;
asleep:awake""")

YOUNG = _pairs("""dog:puppy; cat:kitten; cow:calf; horse:foal; sheep:lamb; pig:piglet; goat:kid; hen:chick; duck:duckling;
goose:gosling; swan:cygnet; bear:cub; lion:cub; fox:cub; deer:fawn; frog:tadpole; kangaroo:joey; owl:owlet; eagle:eaglet; hare:leveret""")
SOUNDS = _pairs("""dog:woof; cat:meow; cow:moo; sheep:baa; pig:oink; duck:quack; horse:neigh; hen:cluck; bee:buzz; snake:hiss;
lion:roar; frog:croak; owl:hoot; mouse:squeak; donkey:hee-haw; wolf:howl""")
LEGS = _pairs("""dog:4; cat:4; horse:4; cow:4; bird:2; duck:2; hen:2; human:2; spider:8; ant:6; bee:6; fly:6; beetle:6; crab:10;
snake:0; fish:0; octopus:8; frog:4; lobster:10; worm:0""")

ELEMENTS = _pairs("""hydrogen:H; helium:He; lithium:Li; carbon:C; nitrogen:N; oxygen:O; fluorine:F; neon:Ne; sodium:Na; magnesium:Mg;
aluminium:Al; silicon:Si; phosphorus:P; sulphur:S; chlorine:Cl; argon:Ar; potassium:K; calcium:Ca; titanium:Ti; chromium:Cr;
iron:Fe; cobalt:Co; nickel:Ni; copper:Cu; zinc:Zn; bromine:Br; silver:Ag; tin:Sn; iodine:I; gold:Au; mercury:Hg; lead:Pb;
radium:Ra; uranium:U; platinum:Pt; tungsten:W""")

UNITS = _pairs("""seconds are in a minute:60 seconds in a minute; minutes are in an hour:60 minutes in an hour;
hours are in a day:24 hours in a day; days are in a week:7 days in a week; months are in a year:12 months in a year;
days are in a year:365 days in a year; weeks are in a year:52 weeks in a year; years are in a century:100 years in a century;
years are in a decade:10 years in a decade; metres are in a kilometre:1000 metres in a kilometre;
centimetres are in a metre:100 centimetres in a metre; millimetres are in a centimetre:10 millimetres in a centimetre;
grams are in a kilogram:1000 grams in a kilogram; kilograms are in a ton:1000 kilograms in a ton;
millilitres are in a litre:1000 millilitres in a litre; inches are in a foot:12 inches in a foot; feet are in a yard:3 feet in a yard;
cents are in a dollar:100 cents in a dollar; degrees are in a circle:360 degrees in a circle; items are in a dozen:12 items in a dozen;
bits are in a byte:8 bits in a byte; letters are in the alphabet:26 letters in the alphabet; planets go around the sun:8 planets around the sun;
players are in a football team:11 players in a football team; strings does a violin have:4 strings on a violin;
keys does a piano have:88 keys on a piano; fingers are on a hand:5 fingers on a hand; seasons are in a year:4 seasons in a year;
continents are there:7 continents; colours are in a rainbow:7 colours in a rainbow""")

MONTH_DAYS = dict(zip(MONTHS, "31 28 31 30 31 30 31 31 30 31 30 31".split()))
PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
SIDES = _pairs("triangle:3; square:4; rectangle:4; pentagon:5; hexagon:6; heptagon:7; octagon:8; nonagon:9; decagon:10")

AUTHORS = _pairs("""Hamlet:Shakespeare; Macbeth:Shakespeare; Faust:Goethe; Don Quixote:Cervantes; War and Peace:Tolstoy;
The Odyssey:Homer; The Iliad:Homer; The Trial:Kafka; Ulysses:Joyce; Emma:Austen; Dracula:Stoker; Frankenstein:Shelley;
Oliver Twist:Dickens; Moby Dick:Melville; The Republic:Plato; Candide:Voltaire; Les Miserables:Hugo; The Idiot:Dostoevsky;
Treasure Island:Stevenson; The Jungle Book:Kipling""")

PLURALS = _pairs("""mouse:mice; child:children; foot:feet; tooth:teeth; goose:geese; man:men; woman:women; person:people; ox:oxen;
leaf:leaves; knife:knives; wolf:wolves; city:cities; baby:babies; box:boxes; bus:buses; sheep:sheep; fish:fish; wife:wives; party:parties""")

KINDS = _pairs("""dog:an animal; cat:an animal; horse:an animal; rose:a flower; tulip:a flower; lily:a flower; oak:a tree; pine:a tree;
birch:a tree; apple:a fruit; pear:a fruit; banana:a fruit; carrot:a vegetable; potato:a vegetable; onion:a vegetable; hammer:a tool;
saw:a tool; screwdriver:a tool; violin:an instrument; piano:an instrument; guitar:an instrument; car:a vehicle; bus:a vehicle;
bicycle:a vehicle; eagle:a bird; owl:a bird; swan:a bird; salmon:a fish; shark:a fish; trout:a fish; chair:a piece of furniture;
table:a piece of furniture; ant:an insect; bee:an insect; beetle:an insect; shirt:a piece of clothing; coat:a piece of clothing""")
