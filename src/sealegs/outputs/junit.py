"""JUnit XML of one run: a test case for each objective, invariant, recovery and run check; never a skip.

FAIL is a failure. INVALID and INCONCLUSIVE are errors: a run without evidence must not look green.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sealegs.outputs.claims import Claim, Document, claims, span_s
from sealegs.outputs.text import clean

TAGS = {"FAIL": "failure", "INVALID": "error", "INCONCLUSIVE": "error"}
KNOWN = ("run_id", "seed", "commit", "command")


def junit(document: Document, run: Mapping[str, Any]) -> str:
    """The verdict in ``document``, of the run that ``run.json`` describes, as one suite."""
    found = claims(document)
    counted = Counter(TAGS.get(one.word, "passed") for one in found)
    counts = {
        "tests": len(found),
        "failures": counted["failure"],
        "errors": counted["error"],
        "skipped": 0,
        "time": f"{span_s(document):.3f}",
    }
    started = {"timestamp": run["started_at"]} if run.get("started_at") else {}
    suite = {"name": document["scenario"], **counts, **started}
    known = [(key, run[key]) for key in KNOWN if run.get(key) is not None]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{_attributes(name='sealegs', **counts)}>",
        f"<testsuite{_attributes(**suite)}>",
        "<properties>",
        *(
            f"<property{_attributes(name=key, value=value)}/>"
            for key, value in [("verdict", document["verdict"]), *known]
        ),
        "</properties>",
        *(text for one in found for text in _case(one, scenario=document["scenario"])),
        f"<system-out>{_text(chr(10).join((document['claim'], *document['reasons'])))}</system-out>",
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(claim: Claim, *, scenario: str) -> Iterator[str]:
    """One test case; a claim that is no PASS says in it why."""
    name = _attributes(classname=f"{scenario}.{claim.kind}", name=claim.name, time=f"{claim.lasted_s:.3f}")
    if claim.word == "PASS":
        yield f"<testcase{name}/>"
        return
    tag = TAGS[claim.word]
    told = f"<{tag}{_attributes(type=claim.word, message=claim.said)}>{_text(claim.said)}</{tag}>"
    yield f"<testcase{name}>{told}</testcase>"


def _attributes(**values: object) -> str:
    """Attributes with their line breaks kept: a parser turns bare ones into blanks."""
    table = str.maketrans({"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    return "".join(f' {name}="{_text(str(value)).translate(table)}"' for name, value in values.items())


def _text(text: str) -> str:
    """Text between tags."""
    return escape(clean(text))
