"""Suspects: which commits may have caused an error, ranked, each with its reasons.

A commit that was live when the error came is as likely as three things make it, multiplied: whether it changed files
that stand in the stack (the nearer to the crash the more), whether it came with the last deployment (or, where none are
reported, how shortly before it was pushed), and how little else it changed (a commit of two files is a likelier culprit than one of two hundred). One that
only changed files nearby, or none that are known, remains a suspect; more so when the line that crashed names its file. Merges weigh half, and what cannot run (documents,
tests, lock files) hardly at all; a message that names a function of the stack weighs for it.

Nobody is accused: this is a list to look at first.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.clock import DAY_MS
from alertd.engine.issues.frame import crash_frames, raised
from alertd.engine.issues.paths import (
    Segments,
    files_of,
    is_aside,
    is_foreign,
    is_vendored,
    likeness,
    nearness,
    segments,
)
from alertd.model.incident import Suspect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from alertd.engine.issues.changes import Candidate
    from alertd.engine.issues.frame import Frame
    from alertd.model.change import Commit

SUSPECTS_MAX: Final = 3
"""Greatest number of suspects."""
FRAMES_MAX: Final = 25
"""So many frames are looked at, from the crash on."""
BEHIND: Final = 0.4
"""Each deployment that came after a commit's own, before the error, makes it so much less likely."""
HALF_LIFE_MS: Final = DAY_MS
"""Where nobody reports deployments: after so long, in milliseconds, a commit is half as likely ..."""
LEAST_RECENT: Final = 0.05
"""... but never less than this."""
DEPTH: Final = 0.6
"""Each file of the stack weighs so much of the one nearer to the crash."""
LEAST_SCORE: Final = 0.005
"""Below this a commit is no suspect."""
FILES_MAX: Final = 500
"""So many files of a commit are looked at."""
TEXT_MAX: Final = 1024
"""So much of what an exception says is looked at, in characters."""

_SPOKEN: Final = 0.4
_NEAR: Final = 0.1
_NOWHERE: Final = 0.05
_UNKNOWN: Final = 0.1
_NAMED: Final = 1.5
_MERGE: Final = 0.5
_ASIDE: Final = 0.2
_SURE: Final = 0.5
_SIZE: Final = 0.2
_SPOKEN_CALLS: Final = 2
_WORD_LEAST: Final = 4
_WORD: Final = re.compile(r"[A-Za-z][a-z0-9]+|[A-Z]+(?![a-z])")
_GENERIC: Final = frozenset(
    {"index", "main", "init", "utils", "util", "base", "common", "core", "types", "self", "this"}
)
_MINUTE: Final = 60_000
_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class _Call:
    """A frame with the names of its file, and what it weighs: 1 at the crash, less before."""

    frame: Frame
    files: list[Segments]
    weight: float


@dataclass(slots=True)
class _Weighed:
    """What was found about one commit; each from 0 to 1."""

    path: float = 0.0
    where: str = ""
    call: _Call | None = None
    matched: int = 0
    running: int = 0
    spoken: str = ""
    near: float = 0.0


def suspects(data: Mapping[str, Any], found: Sequence[Candidate], at_ms: int) -> tuple[Suspect, ...]:
    """Rank commits as suspects of an error's `data` that came at a time. Never raises."""
    calls = _calls(data)
    spoken = _spoken(data, calls)
    names = Counter(segments(path)[:1] for each in found for path in set(each.commit.files[:FILES_MAX]))
    ranked = [_suspect(each, calls, spoken, names, at_ms) for each in found]
    ranked = [each for each in ranked if each.score >= LEAST_SCORE]
    ranked.sort(key=lambda each: (-each.score, -each.at_ms, each.commit_id))
    return tuple(ranked[:SUSPECTS_MAX])


def _calls(data: Mapping[str, Any]) -> list[_Call]:
    frames = [each for each in crash_frames(data, FRAMES_MAX) if not is_foreign(each)]
    calls: list[_Call] = []
    seen: set[Segments] = set()
    for frame in frames:
        files = [each for each in files_of(frame) if each not in seen]
        if files:
            seen.update(files)
            calls.append(_Call(frame, files, DEPTH ** len(calls)))
    return calls


def _suspect(
    each: Candidate, calls: Sequence[_Call], spoken: Collection[str], names: Counter[Segments], at_ms: int
) -> Suspect:
    commit = each.commit
    weighed = _weigh(commit.files, calls, spoken, names)
    age_ms = max(0, at_ms - each.live_ms)
    words = _named(commit.message, calls)
    score = _likelihood(weighed, commit) * _recency(age_ms, each.behind)
    if words:
        score = min(1.0, score * _NAMED)
    reasons = [*_about_files(weighed, commit.size), _about_time(age_ms, each.behind)]
    if words:
        reasons.insert(1, f"its message names {words}")
    return Suspect(
        commit.id,
        round(score, 3),
        tuple(reasons),
        commit.author,
        commit.message.partition("\n")[0],
        commit.at_ms,
        commit.url,
    )


def _recency(age_ms: int, behind: int | None) -> float:
    if behind is None:
        return max(LEAST_RECENT, math.pow(0.5, age_ms / HALF_LIFE_MS))
    return max(LEAST_RECENT, math.pow(BEHIND, float(behind)))


def _likelihood(found: _Weighed, commit: Commit) -> float:
    """How likely its files make it, whenever it was."""
    merge = _MERGE if commit.is_merge else 1.0
    if not commit.files:
        return _UNKNOWN * merge
    near = _NOWHERE + (_NEAR - _NOWHERE) * found.near
    likely = max(found.path, _SPOKEN if found.spoken else near)
    others = max(0, commit.size - found.matched)
    return likely * merge * (1.0 if found.running else _ASIDE) / math.pow(others + 1.0, _SIZE)


def _weigh(files: Iterable[str], calls: Sequence[_Call], spoken: Collection[str], names: Counter[Segments]) -> _Weighed:
    found = _Weighed()
    for path in [*files][:FILES_MAX]:
        if is_vendored(path) or is_aside(path):
            continue
        found.running += 1
        changed = segments(path)
        best = 0.0
        for call in calls:
            like = max(likeness(changed, each) for each in call.files)
            if like == _SURE and names[changed[:1]] > 1:
                like /= 2
            best = max(best, like)
            if like * call.weight > found.path:
                found.path, found.where, found.call = like * call.weight, path, call
            found.near = max(found.near, call.weight * max(nearness(changed, each) for each in call.files))
        found.matched += best >= _SURE
        if best < _SURE and not found.spoken and _stem(changed) in spoken:
            found.spoken = path
    return found


def _spoken(data: Mapping[str, Any], calls: Sequence[_Call]) -> set[str]:
    """List the words of the lines that crashed and of what the exception says: they may name files beside the stack."""
    texts = [call.frame.text for call in calls[:_SPOKEN_CALLS]]
    value = raised(data).get("value")
    if isinstance(value, str):
        texts.append(value[:TEXT_MAX])
    words = {word.lower() for text in texts for word in _WORD.findall(text)}
    return {word for word in words if len(word) >= _WORD_LEAST} - _GENERIC


def _stem(file: Segments) -> str:
    return file[0].partition(".")[0]


def _named(message: str, calls: Sequence[_Call]) -> str:
    """Return the function of the stack that a commit's message names, the nearest to the crash; empty when none."""
    if not message:
        return ""
    words = set(
        message.replace("(", " ").replace(".", " ").replace("`", " ").replace(",", " ").replace(":", " ").split()
    )
    for call in calls:
        function = call.frame.function.rpartition(".")[2]
        if len(function) > 3 and function in words:  # noqa: PLR2004 - shorter names are words of any message
            return function
    return ""


def _about_files(found: _Weighed, size: int) -> list[str]:
    if found.spoken and found.path < _SPOKEN:
        return [f"changed {found.spoken}, which is named where it crashed"]
    if found.call is None:
        return ["changed files beside those of the stack"] if found.near else ["changed no file of the stack"]
    function = found.call.frame.function
    crashed = "where it crashed" if found.call.weight >= 1.0 else "which led to the crash"
    reasons = [f"changed {found.where}, {crashed}{f' (in {function})' if function else ''}"]
    if size:
        reasons.append(f"{found.matched} of its {size} files are in the stack" if size > 1 else "changed nothing else")
    return reasons


def _about_time(age_ms: int, behind: int | None) -> str:
    minutes = age_ms // _MINUTE
    ago = f"{minutes} min" if minutes < 2 * _HOUR else f"{minutes // _HOUR} h"
    deployments = "1 deployment" if behind == 1 else f"{behind} deployments"
    return f"went live {ago} before{f', {deployments} before the last' if behind else ''}"
