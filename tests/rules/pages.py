"""The pages that are made of the code: docs/rules.md, and the tables of docs/controls.md.

``python -m tests.rules.pages`` writes them; tests hold the pages against this.
"""

import importlib
import inspect
import pkgutil
import textwrap
from pathlib import Path

import msgspec

import custody.rules
from custody.model.controls import CATALOGUE, Framework
from custody.rules.registry import load
from custody.rules.rule import Rule

DOCS = Path(__file__).resolve().parents[2] / "docs"
WIDTH = 120
MARK = "<!-- what follows is made of the code: python -m tests.rules.pages -->\n"
NOTES = {
    Framework.SP800_63: "Written for people: no conformance is claimed.",
    Framework.SOC2: "Points of focus as of 2022.",
    Framework.ISO: "Annex A.",
}
RULES_HEAD = """# Rules

What custody asks of the chains, one section a rule, as `custody rules` lists them. A rule answers one of the questions
that stand beside every credential, or it looks for one thing that asks for action. Each cites the records that it rests
on.

*Violated* is said only where issuers and verifiers themselves tell it. What is *indicated* is worth a look and proves
nothing; its severity may be lower than the one here, which is that of a violation. Rules that need a demand (hours,
rotation, environments, dependencies, workloads, risk) are silent where no contract or register makes it.
The controls are those of [controls.md](controls.md), the demands those of [contract.md](contract.md).
"""

AnyRule = Rule[msgspec.Struct]


def docstrings() -> dict[str, str]:
    """What the file of each rule says of it."""
    found = {}
    for info in pkgutil.iter_modules(custody.rules.__path__):
        module = importlib.import_module(f"custody.rules.{info.name}")
        rule = getattr(module, "RULE", None)
        if rule is not None:
            found[rule.id] = inspect.getdoc(module) or ""
    return found


def rules_page() -> str:
    """docs/rules.md."""
    said = docstrings()
    return "\n".join([RULES_HEAD, *(_section(rule, said[rule.id]) for rule in load())])


def _section(rule: AnyRule, said: str) -> str:
    asks = f"answers *{rule.question.value}*" if rule.question else "looks for what asks for action"
    controls = ", ".join(f"`{name}`" for name in rule.controls)
    paragraphs = [" ".join(each.split()).replace("``", "`") for each in said.split("\n\n")]
    rows = [f"*{rule.title}*, {rule.severity.value}; {asks}.", *paragraphs, f"Why: {rule.why}", f"Do: {rule.action}"]
    text = "\n\n".join(textwrap.fill(each, WIDTH, break_long_words=False) for each in rows)
    return f"### {rule.id}\n\n{text}\n\n{textwrap.fill(f'Controls: {controls}', WIDTH)}\n"


def controls_page(head: str) -> str:
    """docs/controls.md: what people wrote down to the mark, then a table a catalogue."""
    return head + MARK + "\n" + "\n".join(_table(framework) for framework in Framework)


def _table(framework: Framework) -> str:
    note = f"{NOTES[framework]}\n\n" if framework in NOTES else ""
    rows = []
    for control in CATALOGUE:
        if control.framework is framework:
            rules = ", ".join(f"`{rule.id}`" for rule in load() if control.id in rule.controls)
            rows.append(f"| `{control.id}` | {control.title} | {rules or '-'} |")
    return f"## {framework.value}\n\n{note}| control | in our words | rules |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def head_of(page: str) -> str:
    """The part of a page that people wrote."""
    return page.partition(MARK)[0]


def main() -> None:
    """Write both."""
    controls = DOCS / "controls.md"
    controls.write_text(controls_page(head_of(controls.read_text(encoding="utf-8"))), encoding="utf-8")
    (DOCS / "rules.md").write_text(rules_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
