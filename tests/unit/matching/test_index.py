"""What the index promises: the very answer of a loop over all patterns, from an engine that may fail but never crash."""

from __future__ import annotations

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.errors import AlertdError, PatternError
from alertd.matching import tree
from alertd.matching.affix import Affix, affixes
from alertd.matching.index import Index, RulesetTooLargeError, compile_index
from alertd.matching.pattern import Pattern, PatternKind, compile_pattern
from alertd.matching.shard import Member, Memory, compile_shard
from tests.unit.matching import reference

if TYPE_CHECKING:
    from alertd.matching.shard import Shard
    from tests.unit.matching.reference import Written

GLOB, LITERAL, REGEX = PatternKind.GLOB, PatternKind.LITERAL, PatternKind.REGEX

MIXED: tuple[tuple[PatternKind, str], ...] = (
    (REGEX, "run{}:.*"),
    (REGEX, r"payment{}\.(failed|refunded)"),
    (REGEX, "app_[a-z]+{}_failed"),
    (GLOB, "agent{}.*"),
    (GLOB, "{{deploy,job}}:{}*"),
    (REGEX, ".*_{}_timeout"),
    (REGEX, "[a-z]+_{}_[a-z]+"),
    (LITERAL, "search_{}_done"),
)
TEMPLATES = (
    *("run{}:a", "payment{}.failed", "app_web{}_failed", "agent{}", "agent{}.a", "deploy:{}x", "job:{}"),
    *("web_{}_timeout", "web_{}_b", "search_{}_done", "run{}", "alertd.{}", "none{}"),
)


def index_of(*written: Written, **options: int) -> Index:
    """Compile patterns into an index."""
    return compile_index([compile_pattern(*one) for one in written], **options)


def ruleset(size: int) -> list[Written]:
    """Give many patterns of all shapes."""
    return [(kind, text.format(number)) for number in range(size) for kind, text in [MIXED[number % len(MIXED)]]]


def assert_agrees(written: list[Written], types: list[str]) -> None:
    """Compare an index with the loop, each type asked twice: found, then remembered."""
    index = index_of(*written)
    for text in types:
        assert index.lookup(text) == reference.positions(written, text)
        assert index.lookup(text) == reference.positions(written, text)
    assert index.fallbacks == 0


@given(st.lists(reference.WRITTEN, max_size=12), st.lists(reference.TYPES, min_size=1, max_size=8))
def test_the_index_agrees_with_a_loop(written: list[Written], types: list[str]) -> None:
    """Whatever the patterns are, a look-up gives the positions that a loop gives."""
    assert_agrees(written, types)


@given(st.lists(reference.WRITTEN, max_size=20), st.lists(reference.TYPES, min_size=1, max_size=8))
def test_small_shards_change_no_answer(written: list[Written], types: list[str]) -> None:
    """How patterns are cut into shards, carried down and turned round is never seen in an answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PACK_PATTERNS", 1)
        patch.setattr(tree, "CARRIED_PATTERNS", 1)
        patch.setattr(tree, "LOOSE_PATTERNS", 2)
        patch.setattr(tree, "SORTED_CHARACTERS", 5)
        assert_agrees(written, types)


def test_thousands_of_patterns_agree_with_a_loop() -> None:
    """A big ruleset of all shapes, in its true shards, answers as a loop does."""
    written = ruleset(2_000)
    numbers = (7, 1_999)
    assert_agrees(written, [template.format(number) for number in numbers for template in TEMPLATES])


def test_nested_prefixes_agree_with_a_loop() -> None:
    """A long chain of patterns, each beginning as the one before does, costs no depth and loses no match."""
    written: list[Written] = [(REGEX, "a" * length + "[b-d]*") for length in range(1, 200)]
    assert_agrees(written, ["a" * length + "b" for length in (0, 1, 17, 63, 64, 65, 66, 150, 199, 240)])


def test_positions_are_ascending_and_unique() -> None:
    """A pattern that matches in two ways is named once, and the least position goes first."""
    index = index_of((GLOB, "{a*,*b,ab}"), (LITERAL, "ab"), (GLOB, "*"), (LITERAL, "ab"), (REGEX, "a.|ab"))
    assert index.lookup("ab") == (0, 1, 2, 3, 4)


def test_an_empty_index_matches_nothing() -> None:
    """No patterns are a ruleset too."""
    assert index_of().lookup("run:failed") == ()


def test_catch_alls_leave_system_types_out() -> None:
    """Types about alertd reach only patterns whose text begins so, whatever else matches."""
    index = index_of((GLOB, "*"), (GLOB, "alertd.*"), (REGEX, ".*"), (REGEX, "[a]lertd.*"), (LITERAL, "alertd.x"))
    assert index.lookup("alertd.x") == (1, 4)
    assert index.lookup("alertd") == (0, 1, 2, 3)


def test_what_is_not_unicode_matches_nothing() -> None:
    """A lone surrogate in a type raises nothing and matches nothing."""
    assert index_of((GLOB, "*"), (REGEX, "a.*")).lookup("a\ud800") == ()


def test_the_last_characters_of_unicode_are_sorted_too() -> None:
    """A prefix after which no text can follow in order still finds its patterns."""
    last = chr(0x10FFFF)
    written: list[Written] = [(GLOB, f"{last * length}?*") for length in range(1, 80)]
    assert_agrees(written, [last, last * 2, last * 70 + "a"])


def test_a_ruleset_beyond_its_memory_is_refused() -> None:
    """What does not fit is an error that names the bound, and no index."""
    with pytest.raises(RulesetTooLargeError) as caught:
        index_of(*ruleset(500), max_mem_bytes=1 << 18)
    assert isinstance(caught.value, AlertdError)
    assert (caught.value.patterns, caught.value.max_mem_bytes) == (500, 1 << 18)


def test_a_failed_set_is_never_matched() -> None:
    """An engine that runs out of memory at any size ends in an error or an answer, never in a crash of the process."""
    script = (
        "from alertd.matching.index import RulesetTooLargeError, compile_index\n"
        "from alertd.matching.pattern import PatternKind, compile_pattern\n"
        "patterns = [compile_pattern(PatternKind.REGEX, f'.*a{n}[a-z]{{1,60}}') for n in range(200)]\n"
        "refused = 0\n"
        "for power in range(8, 27):\n"
        "    try:\n"
        "        index = compile_index(patterns, max_mem_bytes=1 << power)\n"
        "    except RulesetTooLargeError:\n"
        "        refused += 1\n"
        "    else:\n"
        "        assert index.lookup('xa7b') == (7,)\n"
        "assert 0 < refused < 19, refused\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100)  # noqa: S603 - our own script
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


def test_a_shard_that_needs_more_than_its_share_gets_it() -> None:
    """One greedy pattern among many small ones compiles, as long as the whole has room."""
    greedy: Written = (REGEX, "z" + "[a-z]{1,900}" * 2)
    assert index_of(*ruleset(3_000), greedy, max_mem_bytes=32 << 20).lookup("z" + "a" * 200) == (3_000,)


def test_ten_thousand_patterns_fit_the_default() -> None:
    """The default bound holds a ruleset at which the engine's own default fails."""
    assert index_of(*ruleset(10_000)).lookup("run9992:a") == (9_992,)


class SilentSet:
    """A set whose engine gives up: it answers what it is told, whatever the question."""

    def __init__(self, answer: list[int] | None) -> None:
        self.answer = answer

    def Match(self, encoded: bytes) -> list[int] | None:  # noqa: N802 - the name that the engine gives it
        """Give the prepared answer."""
        return self.answer


@pytest.mark.parametrize("answer", [None, [], [1]])
def test_a_missing_sentinel_means_asking_one_by_one(answer: list[int] | None) -> None:
    """An answer without the sentinel is not believed: the patterns are asked themselves, and that is counted."""
    index = index_of((REGEX, "a.*"), (REGEX, "b.*"), (REGEX, ".*b"))
    index._tree.stretches = [
        tree.Stretch(tuple(replace(shard, compiled=SilentSet(answer)) for shard in stretch.shards))
        for stretch in index._tree.stretches
    ]
    assert index.lookup("ab") == (0, 2)
    assert index.fallbacks > 0


def test_a_source_that_the_engine_refuses_is_a_pattern_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Even a pattern that was never checked fails as a PatternError that names it, with nothing on stderr."""
    with pytest.raises(PatternError, match="unchecked"):
        compile_index([Pattern(REGEX, "unchecked(", "unchecked(")])
    assert capfd.readouterr() == ("", "")


def test_the_cache_is_bounded() -> None:
    """However many types are asked, no more answers are kept than allowed."""
    index = index_of((GLOB, "run:*"), cache_entries=10)
    for number in range(1_000):
        assert index.lookup(f"run:{number}") == (0,)
        assert len(index._recent) + len(index._older) <= 10


def test_the_cache_keeps_what_is_asked_again() -> None:
    """A type that is asked all the time stays, while others come and go."""
    index = index_of((GLOB, "run:*"), cache_entries=10)
    answer = index.lookup("run:hot")
    for number in range(100):
        index.lookup(f"run:{number}")
        assert index.lookup("run:hot") is answer


def test_great_answers_take_more_room_in_the_cache() -> None:
    """Answers that name hundreds of patterns cannot fill the memory with few types."""
    index = index_of(*[(GLOB, "*")] * 640, cache_entries=100)
    for number in range(100):
        index.lookup(f"run:{number}")
    assert len(index._recent) + len(index._older) <= 12


def test_an_index_can_be_compiled_in_another_thread() -> None:
    """A new ruleset is compiled beside the running one, and asked where it is needed."""
    with ThreadPoolExecutor(2) as pool:
        indexes = list(pool.map(lambda size: index_of(*ruleset(size)), [300, 400]))
    assert [index.lookup("run296:a") for index in indexes] == [(296,), (296,)]


def shard_of(patterns: list[Pattern], *, first: int = 0, memory: Memory | None = None) -> Shard:
    """Compile patterns into one shard, at positions from `first` on."""
    members = [Member(first + number, pattern) for number, pattern in enumerate(patterns)]
    return compile_shard(members, memory or Memory(1 << 26, len(patterns)))


def test_a_ruleset_shares_with_the_next_one_what_did_not_change() -> None:
    """The same patterns at other positions are not compiled again; what nobody holds any more is not kept."""
    patterns = [compile_pattern(GLOB, f"shared{number}.*.failed") for number in range(9)]
    one, other, more = shard_of(patterns), shard_of(patterns, first=100), shard_of(patterns[1:])
    assert other.compiled is one.compiled
    assert more.compiled is not one.compiled
    assert (one.ask(b"shared3.a.failed"), other.ask(b"shared3.a.failed")) == ([3], [103])
    origin = ref(one.origin)
    del one, other
    gc.collect()
    assert origin() is None


def test_a_shared_shard_is_counted_like_a_compiled_one() -> None:
    """Whether a ruleset fits does not depend on what was there before: it is the same at the next start."""
    patterns = [compile_pattern(REGEX, f"(?:[a-z]{{1,100}}x){{1,5}}{number}") for number in range(16)]
    compiled, shared = Memory(1 << 26, 1 << 14), Memory(1 << 26, 1 << 14)
    holder = shard_of(patterns, memory=compiled)
    share = Memory(1 << 26, 1 << 14).share(len(patterns))
    assert compiled.used > share  # it needed more than its share
    assert shard_of(patterns, memory=shared).compiled is holder.compiled
    assert shared.used == compiled.used
    with pytest.raises(RulesetTooLargeError):
        shard_of(patterns, memory=Memory(1 << 26, 1 << 14, used=(1 << 26) - compiled.used + 1))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("run:.*", [Affix("run:", "", whole=False)]),
        (r"payment\.(failed|refunded)", [Affix("payment.", "", whole=False)]),
        ("^run:[a-z]+_failed$", [Affix("run:", "_failed", whole=False)]),
        (r"\Arun\.x\z", [Affix("run.x", "run.x", whole=True)]),
        ("ab*c", [Affix("a", "c", whole=False)]),
        ("ab{0}", [Affix("a", "", whole=False)]),
        ("a|b.*", [Affix("a", "a", whole=True), Affix("b", "", whole=False)]),
        ("(a|b)c", [Affix("", "c", whole=False)]),
        ("(?i)run", [Affix("", "", whole=False)]),
        ("a(?i)b", [Affix("", "", whole=False)]),
        ("(?i:a)b", [Affix("", "b", whole=False)]),
        (r"\d\Qa\E", [Affix("", "", whole=False)]),
        ("a|", [Affix("a", "a", whole=True), Affix("", "", whole=True)]),
        ("^*a", [Affix("", "a", whole=False)]),
    ],
)
def test_affixes_are_what_every_match_begins_and_ends_with(source: str, found: list[Affix]) -> None:
    """The index sorts by text that is certain, and stops where a construct begins."""
    assert list(affixes(source)) == found
