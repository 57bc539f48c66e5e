"""Small OSCAL catalogues of the controls that rules speak to and that their publishers do not give in OSCAL.

Ids and our own short titles, nothing of the publishers' texts. NIST SP 800-53 has a catalogue of its own, which is
cited instead.
"""

from functools import cache

from custody.model.controls import CATALOGUE, Control, Framework
from custody.reports.oscal.words import VERSION, Object, control_id, stable_uuid, statement_id, text_of, written
from custody.reports.safe import Plain

EDITION = "2026-11-01T00:00:00+00:00"
"""When these catalogues last changed: a constant, so that the same version of custody writes the same bytes."""

NIST_800_53 = (
    "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/"
    "NIST_SP-800-53_rev5_catalog.json"
)
NAMES: dict[Framework, str] = {
    Framework.NHI: "owasp-nhi-2025",
    Framework.ASI: "owasp-agentic-2026",
    Framework.CSF: "nist-csf-2.0",
    Framework.SP800_63: "nist-sp800-63-4",
    Framework.AI_RMF: "nist-ai-rmf-1.0",
    Framework.SOC2: "soc2-tsc-2017",
    Framework.ISO: "iso-27001-2022",
    Framework.PCI: "pci-dss-4.0.1",
}
"""The name of the file of each catalogue of ours."""


def catalogs() -> dict[str, bytes]:
    """Every catalogue of ours: name of its file, and the JSON document."""
    return {f"{name}.json": catalog(framework) for framework, name in NAMES.items()}


@cache
def catalog(framework: Framework) -> bytes:
    """The catalogue of one framework."""
    chosen = [control for control in CATALOGUE if control.framework is framework]
    name = NAMES[framework]
    document: Object = {
        "catalog": {
            "uuid": stable_uuid("catalog", name),
            "metadata": {
                "title": f"{framework.value}: ids, with titles in our own words",
                "last-modified": EDITION,
                "version": "1",
                "oscal-version": VERSION,
                "remarks": "Not the publisher's text. For what a control asks, read the publication itself.",
            },
            "controls": [_control(control) for control in chosen],
        }
    }
    return written(document)


def _control(control: Control) -> Plain:
    statement: Object = {"id": statement_id(control.id), "name": "statement", "prose": text_of(control.title)}
    return {
        "id": control_id(control.id),
        "title": text_of(control.title),
        "props": [{"name": "label", "value": control.id}],
        "parts": [statement],
    }
