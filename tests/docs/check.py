"""What the documentation says is there, is there. Prints every breach as `file:line: what` and exits 1 if there is one.

Links between the pages and their anchors; pages named in code and charts; tests named by the checklist; code, tests and
runbooks named by the threats. Whether the configurations in the pages are good is asked of the programs themselves
(`tests/tests/integration/documentation.rs`). Run by `make check`, with Python's standard library only.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKLIST = "docs/security.md"
THREATS = "docs/security.md"
CHECKLIST_LINES = 38

FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
# A page named anywhere else: in an error message, a chart's value, a comment. A glob or a placeholder is none.
MENTION = re.compile(r"\bdocs/([a-z0-9-]+\.(?:md|yaml))(?:#([a-z0-9_-]+))?")
RUST_TEST = re.compile(r"#\[(?:tokio::)?test(?:\(.*\))?\]\s*\n(?:\s*#\[.*\]\s*\n)*\s*(?:pub )?(?:async )?fn (\w+)")
PYTHON_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def tracked() -> list[str]:
    """Every file of the repository, those not yet added too."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in sorted(set(listed.stdout.splitlines())) if (ROOT / name).is_file()]


def text_of(name: str) -> str:
    """The file's text, empty where it is not text."""
    try:
        return (ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""


def prose(text: str) -> list[tuple[int, str]]:
    """The numbered lines outside of fenced blocks."""
    lines, fence = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not mark[2]:
            fence = ""
        elif not fence:
            lines.append((number, line))
    return lines


def blocks(text: str, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of one language, each with the number of its first line."""
    found, fence, start, held = [], "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and not fence:
            fence, start, held, wanted = mark[1], number + 1, [], mark[2] == language
        elif mark and mark[1].startswith(fence) and not mark[2]:
            if wanted:
                found.append((start, "\n".join(held)))
            fence = ""
        elif fence:
            held.append(line)
    return found


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    made: set[str] = set()
    for _, line in prose(text):
        heading = HEADING.match(line)
        if not heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[2]).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number, one = 0, slug
        while one in made:
            number += 1
            one = f"{slug}-{number}"
        made.add(one)
    return made


class Breaches:
    """What is wrong, in the order it was found."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, name: str, line: int, what: str) -> None:
        """Notes one."""
        self.lines.append(f"{name}:{line}: {what}")


def target_fault(page: str, target: str) -> str | None:
    """Why a relative link of `page` leads nowhere; none when it leads somewhere."""
    path, _, anchor = target.partition("#")
    name = page if not path else (Path(page).parent / path).as_posix()
    full = (ROOT / name).resolve()
    if not full.is_relative_to(ROOT) or not full.exists():
        return f"links to {target}, which does not exist"
    if anchor and (full.suffix != ".md" or anchor not in anchors(full.read_text())):
        return f"links to {target}, which has no such heading"
    return None


def check_links(pages: list[str], breaches: Breaches) -> int:
    """Relative links and anchors of the pages."""
    seen = 0
    for page in pages:
        for number, line in prose(text_of(page)):
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                seen += 1
                if fault := target_fault(page, target):
                    breaches.say(page, number, fault)
    return seen


def check_mentions(files: list[str], breaches: Breaches) -> None:
    """Pages named outside of links: in messages, charts, comments."""
    for name in files:
        for number, line in enumerate(text_of(name).splitlines(), 1):
            for page, anchor in MENTION.findall(line):
                full = ROOT / "docs" / page
                if not full.is_file():
                    breaches.say(name, number, f"names docs/{page}, which does not exist")
                elif anchor and anchor not in anchors(full.read_text()):
                    breaches.say(name, number, f"names docs/{page}#{anchor}, which has no such heading")


def check_toml(pages: list[str], breaches: Breaches) -> None:
    """The TOML in the pages is TOML."""
    for page in pages:
        for number, block in blocks(text_of(page), "toml"):
            try:
                tomllib.loads(block)
            except tomllib.TOMLDecodeError as fault:
                breaches.say(page, number, f"is no TOML: {fault}")


def tests_by_file(files: list[str]) -> dict[str, set[str]]:
    """The tests of the repository by the file they stand in."""
    found = {}
    for name in files:
        if name.endswith(".rs"):
            found[name] = set(RUST_TEST.findall(text_of(name)))
        elif name.startswith("tests/") and name.endswith(".py"):
            found[name] = set(PYTHON_TEST.findall(text_of(name)))
        elif name.startswith("tests/tools/run-"):
            # A step of a check proves as a test does.
            found[name] = set(re.findall(r"^(\w+)\(\) \{", text_of(name), re.MULTILINE))
    return found


def rows(page: str, first: str) -> list[tuple[int, list[str]]]:
    """The rows of a page's tables whose first cell matches."""
    found = []
    for number, line in prose(text_of(page)):
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if re.fullmatch(first, cells[0]):
                found.append((number, cells))
    return found


def check_checklist(tests: dict[str, set[str]], breaches: Breaches) -> None:
    """Each line of the checklist has a test, and each test that it names is one."""
    known = set().union(*tests.values())
    lines = rows(CHECKLIST, r"\d+")
    if [cells[0] for _, cells in lines] != [str(number) for number in range(1, CHECKLIST_LINES + 1)]:
        breaches.say(CHECKLIST, 1, f"the checklist has the numbers 1 to {CHECKLIST_LINES}, in order")
    for number, cells in lines:
        named = re.findall(r"`([a-z0-9_]+)`", cells[-1])
        if not named:
            breaches.say(CHECKLIST, number, "a line of the checklist names no test")
        for name in named:
            if name not in known:
                breaches.say(CHECKLIST, number, f"names a test that does not exist: {name}")


def check_threats(tests: dict[str, set[str]], breaches: Breaches) -> None:
    """Each threat (T1, T2, …) has code, tests and a runbook, all of which exist: `file`, `file::test`, a link."""
    lines = rows(THREATS, r"T\d+")
    if not lines or [cells[0] for _, cells in lines] != [f"T{number}" for number in range(1, len(lines) + 1)]:
        breaches.say(THREATS, 1, "the threats are numbered T1, T2, … in order")
    for number, cells in lines:
        if len(cells) != 6:
            breaches.say(THREATS, number, "a threat has six cells: no., kind, threat, code, test, runbook")
            continue
        _, kind, _, code, proof, runbook = cells
        if not re.fullmatch(r"[STRIDE](, [STRIDE])*", kind):
            breaches.say(THREATS, number, f"'{kind}' is none of S, T, R, I, D, E")
        files = re.findall(r"`([^`]+)`", code)
        for name in files:
            if not (ROOT / name).exists():
                breaches.say(THREATS, number, f"names code that does not exist: {name}")
        named = re.findall(r"`([^`]+)`", proof)
        for name in named:
            file, _, test = name.partition("::")
            if test not in tests.get(file, set()):
                breaches.say(THREATS, number, f"names a test that does not exist: {name}")
        if not files or not named or not LINK.search(runbook):
            breaches.say(THREATS, number, "a threat names code, a test and a section for whoever is on call")


def main() -> int:
    """Checks all of it."""
    files = tracked()
    pages = [name for name in files if name.endswith(".md")]
    tests = tests_by_file(files)
    breaches = Breaches()
    links = check_links(pages, breaches)
    check_mentions([name for name in files if not name.startswith("tests/docs/")], breaches)
    check_toml(pages, breaches)
    check_checklist(tests, breaches)
    check_threats(tests, breaches)
    for line in breaches.lines:
        print(line)
    if breaches.lines:
        print(f"docs: {len(breaches.lines)} breaches", file=sys.stderr)
        return 1
    print(f"docs: {len(pages)} pages, {links} links hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
