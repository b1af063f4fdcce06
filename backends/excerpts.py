"""What of an error's sentence may stand in a log: the words that errors are made of, and no others. Pure.

Backends quote in their errors what they were asked and what a model answered: whole, cut, or written in
another way, so that no search for it would find all. Here a word stays if it is one of a list, and a number
if it counts something; all else becomes `…`. The client is told all of it, under the same request id.
"""

from __future__ import annotations

import re

MAX_EXCERPT = 200
MOST_READ = 2000
GAP = "…"
LONGEST_NUMBER = 7

_EDGES = "\"'`.,;:!?()[]{}<>*"
_JOINTS = re.compile(r"[_/.:='-]")
_ERRORS = """
a about above access account active after again all allowed already also an and another any api
application are argument arguments array as at attempt audio auth authentication authorization available
back bad badrequesterror balance base be because been before begin below beyond billing body bool boolean
both bounds budget busy but by bytes call calls can cancelled cannot capabilities capability capacity
certificate change character characters chat check choice choices choose client code complete completion
completions concurrency configuration configured connect connection contain contains content context
context_length_exceeded copy cost could count crashed create created credentials credit credits cuda
currently cut data database day deadline decode decoded default delete deleted denied deployment
deprecated detected did different dimensions disabled disconnected do doctype document does doesn done
down due duplicate each either embedding embeddings empty enabled end ended endpoint engine enough entity
entry error errors event exceed exceeded exceeds exist exists expected expects expired extra
extra_forbidden failed failure fault field fields file files filter find fix flagged for forbidden format
found free frequency from full function gateway generate generation get give given gpu greater half has
have header headers hit host hour hours html http https id if image images in inactive incomplete
incorrect index inference input inputs instead insufficient int integer internal invalid
invalid_request_error is it item items its job json keep key keys kind know known knows large larger last
later lead leads least leave left length less level like limit limited limits line list load loaded
loading local logprobs long longer lost many mapping mappings match max maximum may mb media memory
message messages method min minimum minute minutes missing model model_not_found models modify month more
most multiple must n name names need needed needs network new no nobody none not notfounderror null number
object octet of off offered offers on one only open option options or organization other out output over
overloaded parallel param parameter parameters parse part parts path payload payment penalty per perhaps
period permission permissiondenied permissions permitted plain plan please policy possible presence
presence_penalty problem process processing project prompt prompts proper property protocol provide
provided provider proxy pull push quota ran range rate raw reach reached read ready reason reasoning
received redacted reduce refuse refused refuses region rejected released remaining remove replica request
requested requests required requires reset resource resources response responses restart result retry
right role route router run running s safety save say says schema second seconds see seed seems send sent
served server servers serves service set should sign size slot slots slow some specified specify start
started state status stop stopped stream streaming string strings such suffix support supported supports
system t take team teams temperature template templates temporarily terminated text than that the their
them there these they think thinking this those throttled through tier time timed timeout title to token
tokenizer tokens too tool tools top total tpm traffic transport tried trouble true try type types unable
unauthenticated unauthorized unavailable understood unexpected unknown unprocessable unreachable
unsupported until up upgrade upstream uri url usage use used user using utf valid validation value values
version via video wait want wanted was we well were when where which while whose will with within without
worker wrong you your
"""
_COUNTED = """
byte bytes character characters code column dimensions error hour hours http images index input inputs
items kb least length limit line max maximum mb message messages minimum minute minutes most ms request
requests s second seconds status than token tokens tools
"""
_WORDS = frozenset(_ERRORS.split())
_UNITS = frozenset(_COUNTED.split())


def excerpt(text: str) -> str:
    """Keep the words of errors. One line, bounded; keys are taken out before."""
    words = text[:MOST_READ].split()
    pieces: list[str] = []
    for place, word in enumerate(words):
        if _is_plain(word) or _is_count(words, place):
            pieces.append(word)
        elif not pieces or pieces[-1] != GAP:
            pieces.append(GAP)
    joined = " ".join(pieces)
    return joined if len(joined) <= MAX_EXCERPT else joined[: MAX_EXCERPT - 1] + GAP


def _core(word: str) -> str:
    return word.strip(_EDGES).lower()


def _is_plain(word: str) -> bool:
    core = _core(word)
    return core in _WORDS or (bool(core) and all(part in _WORDS for part in _JOINTS.split(core)))


def _is_count(words: list[str], place: int) -> bool:
    """Say whether a word is a number beside what it counts."""
    core = _core(words[place])
    if not (core.isascii() and core.isdigit() and len(core) <= LONGEST_NUMBER):
        return False
    beside = words[max(0, place - 1) : place] + words[place + 1 : place + 2]
    return any(_core(word) in _UNITS for word in beside)
