"""Words as reasoning compares them: tokens, stems, sound, and the closed lists of English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(
    r"\d+(?:[:.,-]\d+)*[A-Za-z]*|[A-Za-zÀ-ÿ]{1,2}\d+|[A-Za-zÀ-ÿ]+(?:['’-][A-Za-z0-9À-ÿ]+)*"
)
# Where a reader of screens ran words together: "ProjectLantern", "Thursday15:30", "contact:Daniel".
_JOINED = re.compile(
    r"(?<=[a-zß-ÿ])(?=[A-Z][a-z]{2})|(?<=[A-Za-z]{3})(?=\d)|(?<=[A-Za-z]:)(?=[A-Za-z0-9])"
)

WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)
# What text is shown on.
SHOWS = frozenset("screen slide page whiteboard board monitor display presentation".split())
COLOURS = frozenset(
    "red orange yellow green blue purple violet pink brown black white grey gray silver gold golden "
    "beige turquoise teal navy maroon crimson scarlet lilac magenta cyan indigo olive cream tan "
    "bronze copper amber khaki lavender burgundy".split()
)
NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
    "dozen": 12,
}

ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
} | {"thirtieth": 30}

STOP = frozenset(
    "a an the this that these those there here it its he she they them him her his hers their we us "
    "our ours i me my mine you your yours who whom whose what which where whereabouts whence when why how is are was "
    "were be been being am do does did done doing has have had having will would shall should can "
    "could may might must of in on at to for from by with about into onto and or but if so as than "
    "then not no nor yes please just really very too also any some someone somebody anyone anybody "
    "something anything everything everyone everybody anywhere somewhere everywhere elsewhere again still ever now currently today tonight exactly actually "
    "well um uh okay ok oh hey hi hello let lets let's i'm i've i'll i'd it's that's there's what's "
    "where's who's when's how's he's she's you're you've we're they're isn't aren't wasn't weren't "
    "don't doesn't didn't won't can't couldn't haven't hasn't hadn't tell remind remember know much "
    "many more most all both each every other another one's ago up down out off over under inside "
    "outside behind around away back near get got go going went gone thing things stuff kind sort "
    "type lot supposed happen happened like while during after before until since because much "
    "time-being right only already yet first last latest recent recently previously earlier "
    "originally later look looks lookback person own same else there's "
    "ought per via beside besides except upon within without instead until".split()
)  # fmt: skip

IRREGULAR = {
    "left": "leave", "bought": "buy", "said": "say", "told": "tell", "kept": "keep", "lost": "lose",
    "found": "find", "saw": "see", "seen": "see", "took": "take", "taken": "take", "gave": "give",
    "given": "give", "met": "meet", "paid": "pay", "spent": "spend", "wore": "wear", "drove": "drive",
    "ate": "eat", "eaten": "eat", "drank": "drink", "wrote": "write", "written": "write",
    "sold": "sell", "brought": "bring", "broke": "break", "broken": "break", "held": "hold",
    "began": "begin", "came": "come", "heard": "hear", "hid": "hide", "hidden": "hide",
    "sent": "send", "thought": "think", "made": "make", "ran": "run", "spoke": "speak", "spoken": "speak",
    "stood": "stand", "won": "win", "stole": "steal", "stolen": "steal", "flew": "fly",
    "grew": "grow", "chose": "choose", "chosen": "choose", "built": "build", "lent": "lend",
    "slept": "sleep", "taught": "teach", "caught": "catch", "children": "child", "men": "man",
    "women": "woman", "people": "person", "feet": "foot", "teeth": "tooth", "mice": "mouse",
    "knives": "knife", "shelves": "shelf", "leaves": "leaf", "wives": "wife", "loaves": "loaf",
    "lying": "lie", "lay": "lie", "lives": "live", "hung": "hang", "stuck": "stick", "set": "set",
    "closes": "close", "closed": "close", "glasses": "glasses", "moved": "move", "begun": "begin",
    "wallets": "wallet", "dying": "die", "sat": "sit", "fed": "feed", "led": "lead", "fell": "fall",
    "borrowed": "borrow", "swam": "swim", "sang": "sing", "got": "get", "goes": "go", "forgot": "forget",
    "forgotten": "forget", "shown": "show", "worn": "wear", "driven": "drive", "flown": "fly",
    "grown": "grow", "drawn": "draw", "drew": "draw", "thrown": "throw", "threw": "throw",
    "ridden": "ride", "rode": "ride", "fallen": "fall", "sung": "sing", "drunk": "drink",
    "blown": "blow", "blew": "blow", "torn": "tear", "tore": "tear", "dug": "dig", "lit": "light",
    "shook": "shake", "woke": "wake", "woken": "wake", "froze": "freeze", "frozen": "freeze",
    "laid": "lay", "felt": "feel", "fought": "fight", "became": "become", "rang": "ring",
    "rung": "ring", "known": "know", "knew": "know", "wrapped": "wrap", "adopted": "adopt", "news": "news", "bus": "bus", "series": "series",
}  # fmt: skip

# Verbs say how things relate; a memory may put it with another verb, so they only add to a match.
VERBS = frozenset(
    "leave put place keep store hide move buy purchase sell say tell mention talk speak ask discuss "
    "see watch hear notice show hold take bring give get go come arrive depart start begin end finish "
    "open close happen meet visit call name park live work stay sit stand lie hang pay cost spend "
    "charge need want like love prefer eat drink cook make do use lose find drop forget borrow lend "
    "return send receive write read play win order book schedule plan move postpone cancel run walk "
    "drive fly travel wear break fix repair change turn switch lock unlock build paint grow water "
    "feed adopt own belong weigh last take marry hire join present host lead organise organize "
    "bring carry pick collect deliver appear look set stick win charge teach study learn think be "
    "allow recommend suggest decide choose agree promise invite clean wash train install update "
    "download print sign sleep wake rain snow announce describe report explain state hand".split()
)

# What a picture tagger writes for the everyday word on the left.
HYPONYMS: dict[str, frozenset[str]] = {
    name: frozenset(kinds.split())
    for name, kinds in {
        "fruit": "banana orange lemon apple smith pineapple strawberry fig pomegranate jackfruit custard mango pear grape",
        "vegetable": "broccoli cauliflower cucumber zucchini cabbage artichoke pepper mushroom squash carrot corn head",
        "food": "banana orange lemon pizza burger cheeseburger hotdog pretzel bagel soup guacamole burrito broccoli apple smith meat loaf bakery grocery restaurant carbonara",
        "shop": "grocery store shop confectionery bakery bookshop tobacco shoe toyshop butcher barbershop shopping supermarket",
        "car": "minivan cab convertible limousine jeep sports beach wagon racer pickup ambulance van taxi grille",
        "vehicle": "forklift go-kart golf snowplow tank minivan cab convertible limousine jeep wagon racer pickup ambulance van taxi truck bus trolleybus minibus motor scooter bicycle tricycle moped trailer tractor",
        "traffic": "minivan cab minibus trolleybus car bus truck light parking",
        "bike": "bicycle mountain tandem tricycle moped scooter",
        "dog": "retriever terrier spaniel hound shepherd poodle collie corgi pug husky dalmatian chihuahua beagle mastiff setter pointer labrador rottweiler boxer bulldog",
        "cat": "tabby siamese persian egyptian tiger lynx",
        "animal": "dog cat retriever terrier tabby hen cock horse zebra elephant bear ox sheep",
        "bird": "cock hen finch robin jay magpie chickadee eagle owl parrot macaw hummingbird goose swan flamingo pelican penguin",
        "computer": "laptop notebook desktop screen monitor keyboard mouse modem",
        "screen": "monitor television laptop desktop",
        "furniture": "desk table chair sofa couch wardrobe bookcase chiffonier cabinet bench rocking",
        "chair": "rocking folding throne barber",
        "classroom": "desk library school blackboard lectern",
        "drink": "bottle wine beer coffee espresso cup pop soda milk",
        "clothes": "suit jersey sweatshirt gown cardigan coat jean kimono apron trench",
        "shoe": "loafer sandal clog running",
        "instrument": "guitar piano violin cello drum flute sax trombone accordion harmonica",
        "flower": "daisy vase pot slipper",
        "bag": "backpack purse handbag mailbag sack",
        "boat": "canoe gondola speedboat lifeboat catamaran trimaran yawl liner",
        "street": "cab streetcar traffic parking minibus pedestrian crosswalk",
        "tool": "hammer screwdriver drill saw hatchet shovel plunger corkscrew nail screw carpenter",
        "luggage": "suitcase backpack rucksack mailbag bag",
        "train": "locomotive bullet freight passenger streetcar",
        "plane": "airliner warplane airplane wing",
        "insect": "bee ant fly cricket grasshopper mantis cockroach beetle ladybug dragonfly butterfly monarch admiral",
        "fish": "goldfish shark stingray sturgeon eel coho tench lionfish puffer",
        "hat": "sombrero bonnet bearskin mortarboard cap helmet",
        "phone": "telephone cellular dial pay-phone",
        "truck": "pickup engine garbage tow trailer van",
        "coffee": "espresso mug coffeepot cup",
        "lamp": "lampshade spotlight torch table",
        "toy": "teddy puzzle balloon",
        "person": "face faces groom ballplayer diver",
    }.items()
}
_ENDING = re.compile(r"(?:ing|ed|es|s|e)$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: as written, lower case without possessive 's, its place in the text."""

    written: str
    lower: str
    start: int
    end: int

    @property
    def capital(self) -> bool:
        return self.written[:1].isupper()


def spaced(text: str) -> str:
    """Text read from a screen with the spaces that were lost put back, as far as letters tell."""
    return _JOINED.sub(" ", text)


def words(text: str) -> list[Word]:
    """The words of a text in order."""
    found = []
    for match in _WORD.finditer(text.replace("’", "'")):
        written = match.group()
        lower = written.lower()
        if lower.endswith("'s") and lower not in STOP:
            lower, written = lower[:-2], written[:-2]
        found.append(Word(written, lower, match.start(), match.end()))
    return found


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A light English stem: enough that a question and a memory of it agree."""
    low = word.lower()
    if low in IRREGULAR:
        return IRREGULAR[low]
    if len(low) <= 3 or not low.isalpha():
        return low
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith("oes") and len(low) > 6:
        return low[:-2]
    if low.endswith(("sses", "shes", "ches", "xes", "zes")):
        return low[:-2]
    if low.endswith("s") and not low.endswith(("ss", "us", "is")):
        low = low[:-1]
    for ending in ("ing", "ed"):
        base = low[: -len(ending)]
        if low.endswith(ending) and len(base) >= 3 and re.search("[aeiouy]", base):
            if base + "e" in VERBS:
                return base + "e"
            if base in VERBS:
                return base
            if base[-1] == base[-2] and base[-1] not in "lsz":
                return base[:-1]
            return low if ending == "ing" else base
    return low


SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(stem(w) for w in group.split())
    for group in (
        "bike bicycle cycle",
        "umbrella brolly parasol",
        "sofa couch settee",
        "phone mobile cellphone smartphone telephone",
        "glasses spectacles eyeglasses specs",
        "car automobile vehicle",
        "lorry truck van",
        "flat apartment",
        "shop store supermarket grocery market aisle",
        "code pin passcode combination",
        "laptop notebook-computer macbook",
        "tv television telly",
        "film movie",
        "mum mom mother",
        "dad father",
        "kid child",
        "doctor physician gp",
        "fridge refrigerator",
        "wardrobe closet",
        "bin trash rubbish garbage",
        "meeting appointment",
        "purse handbag",
        "rucksack backpack",
        "trousers pants",
        "jumper sweater pullover",
        "trainers sneakers",
        "jacket coat",
        "buy purchase",
        "put leave place keep store lie set hide drop",
        "move shift transfer relocate put",
        "begin start open",
        "end finish close",
        "cost pay price spend charge",
        "say mention tell talk speak state announce report",
        "see watch notice show",
        "get receive",
        "live stay reside",
        "repair fix mend",
        "organise organize arrange",
        "boss manager",
        "plane flight aeroplane airplane",
        "holiday vacation trip",
        "timetable schedule",
        "wifi wi-fi wireless",
        "email e-mail mail",
        "photo picture photograph",
        "present gift",
        "tap faucet",
        "torch flashlight",
        "biscuit cookie",
        "postpone delay move",
        "face person human people",
        "cab taxi",
        "reservation booking",
        "lift elevator",
        "garden yard",
        "road street",
        "mug cup",
        "spanner wrench",
        "paycheck salary",
        "nappy diaper",
        "lead present host run organise",
        "own have belong",
        "colour color",
        "centre center",
        "page p pp",
        "extension ext",
        "telephone phone tel",
        "gather assemble meet",
        "borrow lend",
    )
)


def colours_of(text: str) -> list[str]:
    """Colour words of a text, lower case."""
    return [w.lower for w in words(text) if w.lower in COLOURS]


def does_it(verb: str, doer: str) -> bool:
    """Is that the one who does it: "moderating" and "moderator", "coaches" and "coach"?"""
    if not re.search(r"(?:er|or)s?$", doer):
        return False
    base = re.sub(r"(?:er|or)s?$", "", doer)
    return len(base) >= 4 and _ENDING.sub("", verb) == base


def inflected(one: str, other: str) -> bool:
    """Two forms of a word, one of them in -ing or -ed: "umpiring" and "umpire"."""
    if not one.endswith(("ing", "ed")) and not other.endswith(("ing", "ed")):
        return False
    base = _ENDING.sub("", one)
    return len(base) >= 4 and base == _ENDING.sub("", other)


def is_number(lower: str) -> bool:
    """Digits, or a number's word."""
    return lower[:1].isdigit() or lower in NUMBER_WORDS or "-" in lower and bool(amount(lower))


@lru_cache(maxsize=8192)
def amount(low: str) -> str:
    """A number in digits, whether it is written in digits, as a word or as an ordinal; else empty."""
    low = re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", low)
    if low[:1].isdigit():
        return low.lstrip("0") or "0"
    tens, _, ones = low.partition("-")
    value = NUMBER_WORDS.get(tens, ORDINALS.get(tens))
    if value is None or (ones and value not in range(20, 100, 10)):
        return ""
    rest = NUMBER_WORDS.get(ones, ORDINALS.get(ones)) if ones else 0
    return "" if rest is None else str(value + rest)


def synonymous(a: str, b: str) -> bool:
    """Two stems of one meaning by the lists above."""
    return any(a in group and b in group for group in SYNONYMS)
