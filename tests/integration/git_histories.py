"""Labelled histories: small real git repositories, each with one commit that broke the program, and the crash it caused.

A program of some modules is grown by commits: small edits, edits of many files, documents, tests, lock files, merges of
branches. One commit breaks it, in one of the ways of `BREAKS`. That it was this one is not assumed but tried out: the
program runs at the commit before and crashes at the commit itself, and the traceback of that crash is what is given to
the search. Pushes are read back from git; deployments bring some commits each; the crash is seen some time after.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import traceback
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from alertd.model.change import Change, ChangeKind, Commit

if TYPE_CHECKING:
    from pathlib import Path

START_MS: Final = 1_800_000_000_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
BREAKS: Final = {"direct": 50, "argument": 30, "result": 10, "setting": 5, "signature": 5}
"""How a commit breaks the program, in percent of the histories: the function that crashes was changed; it was given
something wrong by the function that calls it; a function that has returned gave back something wrong; a setting it reads
is gone; a function that it calls wants more. In the last three the changed file is not in the stack."""
FOLDERS: Final = ("api", "shop", "billing", "stock", "lib")
NAMES: Final = (
    "cart",
    "price",
    "order",
    "invoice",
    "tax",
    "user",
    "session",
    "parcel",
    "money",
    "report",
    "search",
    "mail",
)
VERBS: Final = ("load", "check", "total", "apply", "resolve", "render", "update", "collect", "convert", "match")
ROOTS: Final = ("/app/", "/usr/src/app/", "/srv/www/releases/20270115/", "C:\\inetpub\\app\\", "")
AUTHORS: Final = ("Ann", "Bob", "Cem", "Dea")
CRASHES: Final = ('ctx["absent"]', "None + 1", "[][3]", "1 // 0", 'int("x")', "ctx.absent", '"a" + 1')


class Crashed(Exception):  # noqa: N818 - it is what happened, not what went wrong with the test
    """The program crashed; carries the frames, oldest first, and the type and text."""

    def __init__(self, error: Exception, files: dict[str, str]) -> None:
        super().__init__(str(error))
        self.frames = []
        for frame in traceback.extract_tb(error.__traceback__):
            path = next((p for p in files if frame.filename.replace("\\", "/").endswith(p)), None)
            if path is not None and frame.lineno is not None:
                text = files[path].splitlines()[frame.lineno - 1]
                self.frames.append(
                    {"filename": frame.filename, "function": frame.name, "lineno": frame.lineno, "context_line": text}
                )
        self.error = error


@dataclass(slots=True)
class Function:
    """One function of the program: a constant, whom it calls, and extra lines; `wants` and `gives` are what breaks."""

    name: str
    constant: int
    calls: list[tuple[str, str]]
    lines: list[str] = field(default_factory=list)
    first: str = ""
    wants: str = ""
    gives: str = "total"
    passes: dict[tuple[str, str], str] = field(default_factory=dict)

    def source(self) -> str:
        """Write it in Python."""
        body = [f"def {self.name}(ctx{self.wants}):", f"    total = ctx['n'] + {self.constant}"]
        if self.first:
            body.append(f"    total += {self.first}")
        body += [f"    {line}" for line in self.lines]
        for module, function in self.calls:
            given = self.passes.get((module, function), "ctx")
            body.append(f"    total += {module.replace('/', '_')}.{function}({given}) or 0")
        return "\n".join([*body, f"    return {self.gives}"])


def _layer(module: str) -> tuple[int, str]:
    """Order modules so that each calls only those behind it."""
    return FOLDERS.index(module.partition("/")[0]), module


class Program:
    """A program that grows: modules (`shop/cart`) of functions, settings, and files that do not run."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        places = [f"{folder}/{name}" for folder in FOLDERS[1:] for name in NAMES]
        self.order = ["api/views", *sorted(dice.sample(places, dice.randint(30, 48)), key=_layer)]
        self.settings = {f"rate_{number}": number for number in range(4)}
        self.aside = {"README.md": "A shop\n", "requirements.lock": "a==1\n", "tests/test_shop.py": "# tests\n"}
        self.modules: dict[str, dict[str, Function]] = {}
        for place in reversed(range(len(self.order))):
            self._grow(place)

    def _grow(self, place: int) -> None:
        below = [(m, f) for m in self.order[place + 1 :] for f in self.modules[m]]
        found = {}
        for verb in self.dice.sample(VERBS, self.dice.randint(2, 4)):
            stem = self.order[place].rpartition("/")[2]
            calls = self.dice.sample(below, min(len(below), self.dice.randint(1, 2)))
            found[f"{verb}_{stem}"] = Function(f"{verb}_{stem}", self.dice.randint(1, 99), calls)
        self.modules[self.order[place]] = found

    def files(self) -> dict[str, str]:
        """Write all files, by path in the repository."""
        found = {f"{module}.py": self._source(module) for module in self.modules}
        found["lib/defaults.py"] = f"SETTINGS = {self.settings!r}\n"
        return found | self.aside

    def _source(self, module: str) -> str:
        return "\n\n\n".join(function.source() for function in self.modules[module].values()) + "\n"

    def entry(self) -> str:
        """Name the function that the program begins with."""
        return next(iter(self.modules["api/views"]))

    def run(self, root: str) -> None:
        """Run it as if it lay below `root`. Raises Crashed."""
        modules = {name: ModuleType(name) for name in [*self.modules, "lib/defaults"]}
        separator = "\\" if "\\" in root else "/"
        for name, text in self.files().items():
            module = modules.get(name.removesuffix(".py"))
            if module is None:
                continue
            module.__dict__.update({other.replace("/", "_"): each for other, each in modules.items()})
            exec(compile(text, root + name.replace("/", separator), "exec"), module.__dict__)  # noqa: S102 - our own text
        try:
            getattr(modules["api/views"], self.entry())({"n": 1})
        except Exception as error:
            raise Crashed(error, self.files()) from error

    def reached(self) -> list[tuple[str, str]]:
        """List the functions that a run reaches, (module, function), in the order of their calls."""
        found: list[tuple[str, str]] = []
        waiting = [("api/views", self.entry())]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.append(each)
                waiting += self.modules[each[0]][each[1]].calls
        return found

    def edit(self) -> str:
        """Make one harmless change; return the commit's message."""
        dice = self.dice
        kind = dice.choices(["small", "line", "several", "sweep", "aside"], [45, 20, 18, 2, 15])[0]
        if kind == "aside":
            name = dice.choice(list(self.aside))
            self.aside[name] += f"more {dice.randint(1, 999)}\n"
            return f"Update {name}"
        spread = {"small": 1, "line": 1, "several": dice.randint(2, 4), "sweep": len(self.order) - 2}[kind]
        chosen = dice.sample(self.order, min(spread, len(self.order)))
        for module in chosen:
            function = dice.choice(list(self.modules[module].values()))
            if kind == "line":
                function.lines.append(f"total += {dice.randint(1, 9)}")
            else:
                function.constant += dice.randint(1, 9)
        if dice.random() < 0.3:
            self.aside["tests/test_shop.py"] += "# more\n"
        return dice.choice([f"Tune {chosen[0]}", f"{chosen[0]}: {function.name} counts right", "Tidy up", "Fixes"])

    def break_it(self, how: str) -> str:
        """Break it; return the commit's message."""
        dice = self.dice
        reached = self.reached()
        calling = [each for each in reached if self.modules[each[0]][each[1]].calls]
        module, name = dice.choice(calling if how != "direct" else reached)
        function = self.modules[module][name]
        callee = dice.choice(function.calls) if function.calls else None
        if how == "direct":
            function.first = dice.choice(CRASHES)
        elif how == "argument" and callee is not None:
            function.passes[callee] = dice.choice(["None", "ctx['n']", "{}"])
        elif how == "result" and callee is not None:
            self.modules[callee[0]][callee[1]].gives = "'done'"
        elif how == "signature" and callee is not None:
            self.modules[callee[0]][callee[1]].wants = ", currency"
        else:
            used = [line for m, f in reached for line in self.modules[m][f].lines if "defaults" in line]
            del self.settings[used[0].split("'")[1]]
        for _ in range(dice.choice([0, 0, 1, 1, 2, 4])):
            self.edit()
        return dice.choice([f"Improve {name}", f"{module}: handle more cases", "Add a feature", "Speed up", "WIP"])


@dataclass(frozen=True, slots=True)
class Labelled:
    """One history: its change log, the error's `data`, when it came, and the commit that did it; `how` it did."""

    log: list[Change]
    data: dict[str, Any]
    at_ms: int
    guilty: str
    how: str


def make(seed: int, folder: Path) -> Labelled:
    """Make the history of a seed in an empty folder."""
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    how = dice.choices(list(BREAKS), list(BREAKS.values()))[0]
    program, root = Program(dice), dice.choice(ROOTS)
    if how == "setting":
        module, name = dice.choice(program.reached())
        program.modules[module][name].lines.append("total += lib_defaults.SETTINGS['rate_1']")
    stream, crash, guilty = _grow(program, how, root, dice)
    commits = _git(folder, stream)
    guilty_id = next(commit.id for commit in commits if commit.message.endswith(f"[{guilty}]"))
    plain = [_anonymous(commit) for commit in commits]
    log, at_ms = _log(plain, guilty_id, dice)
    return Labelled(log, _data(crash), at_ms, guilty_id, how)


def _grow(program: Program, how: str, root: str, dice: random.Random) -> tuple[str, Crashed, int]:
    """Grow it commit by commit; return git's stream, the crash and the number of the commit that caused it."""
    stream: list[str] = []
    count = dice.randint(16, 40)
    guilty = dice.randint(count // 2, count - 1)
    crash: Crashed | None = None
    at = START_MS - 60 * 24 * HOUR
    before: dict[str, str] = {}
    number = 0
    while number < count:
        at += dice.randint(10, 40 * 60) * MINUTE
        if number == guilty:
            program.run(root)
            message = program.break_it(how)
            try:
                program.run(root)
            except Crashed as error:
                crash = error
        else:
            message = program.edit() if number else "First version"
        after = program.files()
        stream.append(_commit(f"{message} [{number}]", at, dice.choice(AUTHORS), before, after, number))
        before = after
        number += 1
    assert crash is not None, f"{how} did not break the program"
    return "".join(stream), crash, guilty


def _commit(message: str, at: int, author: str, before: dict[str, str], after: dict[str, str], number: int) -> str:
    """Write one commit for `git fast-import`; every seventh comes through a branch and is merged."""
    who = f"{author} <{author.lower()}@example.com> {at // 1000} +0000"
    branch = "refs/heads/feature" if number and number % 7 == 0 else "refs/heads/main"
    head = f"commit {branch}\ncommitter {who}\ndata {len(message)}\n{message}\n"
    if branch.endswith("feature"):
        head += "from refs/heads/main\n"
    for path, text in after.items():
        if before.get(path) != text:
            head += f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
    if branch.endswith("feature"):
        title = f"Merge pull request #{number}"
        head += f"commit refs/heads/main\ncommitter {who}\ndata {len(title)}\n{title}\n"
        head += "merge refs/heads/feature\n"
        head += "".join(
            f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
            for path, text in after.items()
            if before.get(path) != text
        )
        head += "reset refs/heads/feature\n\n"
    return head


def _git(folder: Path, stream: str) -> list[Commit]:
    """Make the repository and read its commits back, oldest first."""
    git = shutil.which("git")
    assert git is not None
    _run(git, folder, "init", "-q", "-b", "main")
    _run(git, folder, "fast-import", "--quiet", given=stream.encode())
    form = "--format=%x01%H%x00%ct%x00%an%x00%P%x00%s"
    told = _run(git, folder, "log", "--reverse", "--topo-order", "--name-only", form, "main")
    return [_read(each) for each in told.split("\x01")[1:]]


def _run(git: str, folder: Path, *words: str, given: bytes = b"") -> str:
    command = [git, "-c", "safe.directory=*", "-C", str(folder), *words]
    done = subprocess.run(command, input=given, capture_output=True, check=True, timeout=120)  # noqa: S603 - fixed words
    return done.stdout.decode()


def _read(told: str) -> Commit:
    head, _, files = told.partition("\n")
    commit_id, at, author, parents, subject = head.split("\0")
    paths = tuple(line for line in files.split("\n") if line)
    return Commit(commit_id, int(at) * 1000, author, subject, paths, len(paths), " " in parents)


def _anonymous(commit: Commit) -> Commit:
    """Take the label out of a commit's message."""
    message = commit.message.rpartition(" [")[0] or commit.message
    return Commit(
        commit.id, commit.at_ms, commit.author, message, commit.files, commit.file_count, commit.is_merge, commit.url
    )


def _log(commits: list[Commit], guilty: str, dice: random.Random) -> tuple[list[Change], int]:
    """Push and deploy the commits, and say when the crash was seen: mostly soon, sometimes only after more deployments."""
    log: list[Change] = []
    waiting: list[Commit] = []
    seen_ms: int | None = None
    late = dice.choices([0, 1, 2], [88, 9, 3])[0]
    to_deploy = dice.randint(1, 6)
    for commit in commits:
        waiting.append(commit)
        log.append(Change(ChangeKind.PUSH, "shop", commit.at_ms, "", commit.id, "main", commits=(commit,)))
        if len(waiting) < to_deploy and commit is not commits[-1]:
            continue
        deployed_ms = commit.at_ms + dice.randint(1, 30) * MINUTE
        revision = dice.choices([commit.id, commit.id[:8], ""], [70, 20, 10])[0]
        log.append(Change(ChangeKind.DEPLOY, "shop", deployed_ms, "prod", revision))
        guilty_is_live = any(each.id == guilty for each in waiting) or seen_ms is not None
        waiting, to_deploy = [], dice.randint(1, 6)
        if guilty_is_live:
            seen_ms = deployed_ms + int(dice.lognormvariate(3.0, 1.2)) * MINUTE
            if not late:
                break
            late -= 1
    assert seen_ms is not None
    return [change for change in log if change.at_ms <= seen_ms], seen_ms


def _data(crash: Crashed) -> dict[str, Any]:
    """Lay the crash out as a Sentry SDK's event would be."""
    frames = [{**frame, "in_app": True} for frame in crash.frames]
    kind, value = type(crash.error).__name__, str(crash.error)
    raised = {"type": kind, "value": value, "stacktrace": {"frames": frames}}
    return {"title": f"{kind}: {value}", "level": "error", "event_id": "0" * 32, "exception": {"values": [raised]}}
