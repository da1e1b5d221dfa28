"""Short stories with questions, made from sentences with blanks: as many as wanted, all different, no data needed.

    rng = np.random.default_rng(0)
    example = story(rng)
    example.text          # "Nora is a baker from Oslo. She bought a green lamp for 12 coins. On Friday ..."
    example.question      # "What did Nora buy?"
    example.answer        # "a green lamp", which begins at example.text[example.start]

A story is about several people, who do like things: which sentence answers must be found by the name, and where "he"
or "she" stands for it, by the sentence before. No two people of a story have a value in common, so that each question
has one answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NAMES = {
    "she": "Anna Berta Clara Dora Emma Flora Greta Hanna Ida Julia Karin Lena Maria Nora Olga Paula Rosa Sara Tina Ute "
           "Vera Wanda Yara Zoe",
    "he": "Adam Boris Carl David Emil Felix Gustav Hugo Igor Jonas Kurt Leo Max Noah Otto Paul Ralf Simon Tom Urs "
          "Viktor Walter Yuri Zeno",
}  # fmt: skip
VALUES = {
    "job": "baker carpenter dentist farmer gardener judge lawyer miller nurse painter sailor singer tailor teacher "
           "waiter writer",
    "city": "Athens Berlin Cairo Dublin Florence Geneva Hamburg Istanbul Lisbon Madrid Naples Oslo Paris Prague Rome "
            "Vienna",
    "colour": "black blue brown golden green grey pink purple red silver white yellow",
    "thing": "bag bicycle book chair clock coat guitar hat knife lamp mirror piano ring table vase violin",
    "price": " ".join(str(n) for n in range(5, 100)),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "place": "bank bridge castle church garden harbour library market museum park school station theatre tower zoo",
    "animal": "camel cat cow dog donkey fox goat hen horse mouse parrot pig rabbit sheep snake turtle",
    "month": "January February March April May June July August September October November December",
}  # fmt: skip
# A sentence, and questions to it with the part of it that answers. {who} is the name or the pronoun.
SENTENCES: list[tuple[str, dict[str, str]]] = [
    ("{who} is a {job} from {city}.", {
        "What is the job of {name}?": "a {job}", "Where does {name} come from?": "{city}",
        "Who is a {job}?": "{name}", "Who comes from {city}?": "{name}"}),
    ("{who} bought a {colour} {thing} for {price} coins.", {
        "What did {name} buy?": "a {colour} {thing}", "What did {name} pay?": "{price} coins",
        "How much was the {thing}?": "{price} coins", "Who bought a {thing}?": "{name}"}),
    ("On {day} {who} went to the {place}.", {
        "When did {name} go to the {place}?": "{day}", "Where did {name} go on {day}?": "the {place}",
        "Who went to the {place}?": "{name}"}),
    ("{who} has a {animal}, born in {month}.", {
        "Which animal does {name} have?": "a {animal}", "When was the {animal} born?": "{month}",
        "Who has a {animal}?": "{name}"}),
]  # fmt: skip


class Example(NamedTuple):
    """A story, a question, its answer, and where that begins in the story."""

    text: str
    question: str
    answer: str
    start: int


def story(rng: np.random.Generator, people: Sequence[int] = (2, 3, 4), sentences: Sequence[int] = (2, 3, 4)) -> Example:
    """A story about as many people as one of `people` says, with as many sentences on each, and a question."""
    count = int(rng.choice(people))
    cast = [(name, pronoun) for pronoun, names in NAMES.items() for name in names.split()]
    chosen = [cast[i] for i in rng.permutation(len(cast))[:count]]
    values = {kind: rng.permutation(words.split())[:count] for kind, words in VALUES.items()}
    told = rng.permutation(len(SENTENCES))[: rng.choice(sentences)]  # the same of each, in an order of its own
    text, facts = "", []
    for k, (name, pronoun) in enumerate(chosen):
        own = {kind: str(drawn[k]) for kind, drawn in values.items()}
        for i, which in enumerate(rng.permutation(told)):
            pattern, questions = SENTENCES[which]
            sentence = pattern.format(who=pronoun if i else name, **own)  # the first sentence on each says the name
            place = len(text)
            text += sentence[0].upper() + sentence[1:] + " "
            facts.append((name, own, questions, place, text.rindex(name)))
    name, own, questions, place, named = facts[rng.integers(len(facts))]
    question = sorted(questions)[rng.integers(len(questions))]
    answer = questions[question].format(name=name, **own)
    start = named if answer == name else text.index(answer, place)
    return Example(text.strip(), question.format(name=name, **own), answer, start)


def stories(
    seed: int, count: int, people: Sequence[int] = (2, 3, 4), sentences: Sequence[int] = (2, 3, 4)
) -> list[Example]:
    """As many different ones, always the same for a seed."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        example = story(rng, people, sentences)
        found[example.text, example.question] = example
    return list(found.values())
