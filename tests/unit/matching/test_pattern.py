"""What one pattern promises: design, section 6, and plain words for what it refuses."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alertd.errors import PatternError
from alertd.matching.glob import MAX_ALTERNATIVES, MAX_NESTING
from alertd.matching.pattern import PatternKind, compile_pattern, translate
from tests.unit.matching import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

GLOB, LITERAL, REGEX = PatternKind.GLOB, PatternKind.LITERAL, PatternKind.REGEX


def refused(kind: PatternKind, pattern: str) -> PatternError:
    """Give the error that a pattern is refused with."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(kind, pattern)
    assert caught.value.pattern == pattern
    return caught.value


def glob(pattern: str, text: str) -> bool:
    """Say whether a glob matches."""
    return compile_pattern(GLOB, pattern).matches(text)


def regex(pattern: str, text: str) -> bool:
    """Say whether a regex matches."""
    return compile_pattern(REGEX, pattern).matches(text)


@contextmanager
def reported_inside(pattern: str) -> Iterator[None]:
    """Check that an error has a reason, and a position inside the pattern where it has one."""
    try:
        yield
    except PatternError as error:
        if not error.reason or not 0 <= (error.position or 0) < max(len(pattern), 1):
            pytest.fail(f"badly reported: {error}")
        raise


@pytest.mark.parametrize(
    ("pattern", "matched", "left_out"),
    [
        ("*", ["", "run", "run:failed", "a.b:c", "a\nb"], ["alertd.delivery.dead"]),
        ("agent.*", ["agent", "agent.budget_paused", "agent."], ["agent.a.b", "agent:a", "agents", "agent.a:b"]),
        ("run:*", ["run", "run:failed"], ["run:a:b", "run:a.b", "run.failed"]),
        ("run*", ["run", "running"], ["run:failed", "run.a"]),
        ("*:failed", ["run:failed", ":failed"], ["run:a:failed", "failed"]),
        ("a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.b.c"]),
        ("**", ["", "run:failed", "a.b.c"], ["alertd.x"]),
        ("a.**", ["a.", "a.b", "a.b:c"], ["a", "b.a.b"]),
        ("a**c", ["ac", "a.b:c"], ["a.b"]),
        ("run:?", ["run:a"], ["run:", "run:ab", "run::", "run:."]),
        ("{run,job}:failed", ["run:failed", "job:failed"], ["run", "{run,job}:failed"]),
        ("{agent.*,run:*}", ["agent", "agent.a", "run", "run:a"], ["agent:a"]),
        ("a{,b{c,d}}", ["a", "abc", "abd"], ["ab", "abcd"]),
        ("{a}b", ["ab"], ["{a}b"]),
        ("a,b", ["a,b"], ["a", "b"]),
        ("[abc]x", ["ax", "cx"], ["dx", "x", "abx"]),
        ("[a-c]", ["b"], ["d", "-"]),
        ("[!abc]", ["d", "!"], ["a", "", ".", ":"]),
        ("[^abc]", ["d", "^"], ["a"]),
        ("[.:]", [".", ":"], ["a"]),
        (r"[]\]-]", ["]", "-"], ["\\"]),
        (r"\*\{a", ["*{a"], ["x{a"]),
        (r"agent\.*", ["agent.", "agent.a"], ["agent"]),
        (r"a\\.*", ["a\\", "a\\.b"], ["a."]),
        ("Run", ["Run"], ["run", "RUN"]),
        ("é?", ["éa", "éé"], ["é"]),
        ("run(a|b)+$^", ["run(a|b)+$^"], ["runa"]),
    ],
)
def test_globs_match_what_is_documented(pattern: str, matched: list[str], left_out: list[str]) -> None:
    """Every documented glob matches its examples, and nothing that lies just beside them."""
    assert [text for text in matched if not glob(pattern, text)] == []
    assert [text for text in left_out if glob(pattern, text)] == []


@given(reference.GLOBS, reference.TYPES)
def test_globs_agree_with_a_second_opinion(pattern: str, text: str) -> None:
    """The translation to RE2 means what a matcher means that walks over characters."""
    compiled = compile_pattern(GLOB, pattern)
    assert compiled.matches(text) == reference.matches((GLOB, pattern), text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_literals_match_themselves_alone(pattern: str, text: str) -> None:
    """A literal has no special characters, and its RE2 source says the same as it."""
    assume(not text.startswith("alertd."))
    assume(pattern.isascii() or not any("\ud800" <= character <= "\udfff" for character in pattern))
    literal, source = compile_pattern(LITERAL, pattern), translate(LITERAL, pattern)
    assert literal.matches(pattern)
    assert literal.matches(text) == (text == pattern) == regex(source, text)


@given(reference.REGEXES, reference.TYPES)
def test_regexes_agree_with_a_second_opinion(pattern: str, text: str) -> None:
    """Where RE2 and `re` know a construct, both match the same whole types."""
    compiled = compile_pattern(REGEX, pattern)
    assert compiled.matches(text) == reference.matches((REGEX, pattern), text)


def test_a_regex_matches_the_whole_type() -> None:
    """A regex that fits in the middle, at the beginning or at the end of a type does not match it."""
    assert regex("run:.*", "run:failed")
    assert not regex("run", "run:failed")
    assert not regex("failed", "run:failed")
    assert not regex("a|run", "run:a")


def test_a_dot_is_a_newline_too() -> None:
    """`run:.*` does not stop at a newline."""
    assert regex("run:.*", "run:a\nb")


def test_a_dollar_is_the_very_end() -> None:
    """`$` does not match before a last newline."""
    assert not regex("run$", "run\n")


def test_classes_of_letters_are_ascii() -> None:
    r"""`\w` and `\d` are ASCII, so that a type cannot look like another."""
    assert not regex(r"\w", "é")
    assert not regex(r"\d", "٣")
    assert regex(r"\w\d", "a3")


@pytest.mark.parametrize("kind", [LITERAL, GLOB, REGEX])
def test_patterns_that_begin_with_alertd_see_system_types(kind: PatternKind) -> None:
    """A pattern of any kind whose text begins with `alertd` matches types about alertd."""
    assert compile_pattern(kind, "alertd.started").matches("alertd.started")


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        *((GLOB, text) for text in ("*", "**", "[a]lertd.*", r"\alertd.*", "{alertd.*,b}", "a*.*")),
        *((REGEX, text) for text in (".*", "[a]lertd.*", "(alertd.*)", "^alertd.*", "(?i)ALERTD.*")),
    ],
)
def test_catch_alls_leave_system_types_out(kind: PatternKind, pattern: str) -> None:
    """A pattern whose own text begins otherwise never matches a type about alertd, even if it could."""
    assert not compile_pattern(kind, pattern).matches("alertd.started")


def test_only_types_with_the_dot_are_system_types() -> None:
    """`alertd` and `alertd:x` are types like any other."""
    assert glob("*", "alertd")
    assert glob("*", "alertd:started")
    assert glob("alert*", "alertd")


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("payment(?=_x)", 7, "look-ahead (?=…) is not supported: patterns use RE2, which guarantees linear time"),
        ("a(?!b)", 1, "negative look-ahead (?!…)"),
        ("(?<=a)b", 0, "look-behind (?<=…)"),
        ("a(?<!b)", 1, "negative look-behind (?<!…)"),
        (r"(a)b\1", 4, r"back-reference \1"),
        (r"(a)\12", 3, r"back-reference \12"),
        ("(?P<n>a)(?P=n)", 8, "back-reference (?P=…)"),
        (r"(?<n>a)\k<n>", 7, r"back-reference \k"),
        ("ab++", 2, "possessive repeat ++"),
        ("a*+", 1, "possessive repeat *+"),
        ("a{1,2}+", 1, "possessive repeat {1,2}+"),
        ("x(?>a)", 1, "atomic group (?>…)"),
        ("(a)?(?(1)b|c)", 4, "conditional (?(…)…)"),
        ("a(?#why)", 1, "comment (?#…)"),
        (r"run\Z", 3, r"\z is RE2's name"),
        ("ba{,3}", 2, "write {0,3}"),
        ("a{,}", 1, "write {0,}"),
        ("a(?x) b", 1, "flag x is not supported"),
        (r"\Qa++\Eb(?=c)", 8, "look-ahead"),
        ("[(?=]a**", 6, "repeats cannot be stacked: **"),
        ("[++](a", 4, "unclosed group ("),
        ("a)b", 1, "unmatched )"),
        ("ab[c", 2, "unclosed class ["),
        ("(?i)[z-a]", 5, "invalid class or range z-a"),
        ("a{1001}", 1, "at most 1000"),
        (r"a\q", 1, r"unknown escape \q"),
        ("a\\", 1, "a backslash at the end"),
        ("a|*", 2, "nothing to repeat before *"),
        ("a(?P<n", 1, "malformed group name"),
    ],
)
def test_regexes_are_refused_with_reason_and_position(pattern: str, position: int, words: str) -> None:
    """Whoever wrote the pattern learns what is wrong, in plain words, and where."""
    error = refused(REGEX, pattern)
    assert words in error.reason
    assert error.position == position


@pytest.mark.parametrize(
    "pattern", [r"\(\?=a\)", r"[(?=)]", r"\Q(?=\1{,3}\E", r"a\+\+", r"a\{,3}", "[{,3}]", "a+?", r"\101"]
)
def test_look_alikes_are_not_refused(pattern: str) -> None:
    """What is escaped, quoted or in a class only looks like a construct that RE2 lacks."""
    assert compile_pattern(REGEX, pattern).text == pattern


def test_a_pattern_that_needs_too_much_memory_is_refused() -> None:
    """A small text that stands for a huge program is an error, not a slow daemon."""
    error = refused(REGEX, r"(\pL{500}\pN{500}){2}")
    assert "too large" in error.reason or "out of bounds" in error.reason


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("run:{a,b", 4, "unclosed {"),
        ("{a{b,c}", 0, "unclosed {"),
        ("a}", 1, "unmatched }"),
        ("a[bc", 1, "unclosed ["),
        ("[", 0, "unclosed ["),
        ("[]", 0, "unclosed ["),
        ("[!]", 0, "unclosed ["),
        ("[a\\", 0, "unclosed ["),
        ("a]", 1, "unmatched ]"),
        ("a\\", 1, "a backslash at the end"),
        ("x[z-a]", 2, "invalid range z-a"),
        ("a{}", 1, "empty braces"),
        ("x[[:alpha:]]", 2, "named classes"),
        ("a" + "{b,c}" * 9, 41, f"more than {MAX_ALTERNATIVES}"),
        ("{" * (MAX_NESTING + 1), MAX_NESTING, f"more than {MAX_NESTING} deep"),
    ],
)
def test_globs_are_refused_with_reason_and_position(pattern: str, position: int, words: str) -> None:
    """What is unbalanced, empty or beyond a bound is an error at its own place."""
    error = refused(GLOB, pattern)
    assert words in error.reason
    assert error.position == position


@given(st.sampled_from([GLOB, REGEX]), st.text(r"a.*+?[](){}|\^$,-!:=<>PQE1xi", max_size=12))
def test_any_text_compiles_or_is_refused(kind: PatternKind, pattern: str) -> None:
    """No text, however odd, raises anything but a PatternError, whose position lies inside it."""
    with suppress(PatternError), reported_inside(pattern):
        compile_pattern(kind, pattern).matches("aa.a:1")


def test_nothing_is_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """The engine's own log lines stay out of the daemon's."""
    refused(REGEX, "a[b")
    refused(REGEX, r"\q")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [LITERAL, GLOB, REGEX])
def test_a_lone_surrogate_is_refused_in_a_pattern(kind: PatternKind) -> None:
    """Text that cannot be encoded is an error with a position, and no UnicodeEncodeError."""
    assert refused(kind, "a\ud800").position == 1


@pytest.mark.parametrize("kind", [LITERAL, GLOB, REGEX])
def test_a_lone_surrogate_in_a_type_matches_nothing(kind: PatternKind) -> None:
    """A type that cannot be encoded is matched by nothing, and raises nothing."""
    assert not compile_pattern(kind, "**" if kind is GLOB else "x").matches("a\ud800")


def test_a_nul_is_a_character() -> None:
    """No text ends at a NUL."""
    assert glob("a*", "a\x00b")
    assert not regex("a", "a\x00")
    assert compile_pattern(LITERAL, "a\x00b").matches("a\x00b")


def test_unknown_kinds_are_refused() -> None:
    """A kind is one of three."""
    with pytest.raises(ValueError, match="fnmatch"):
        compile_pattern("fnmatch", "a")
