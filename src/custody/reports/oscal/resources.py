"""The back matter: the plan that stands behind the results, the log, and the catalogues that controls are from."""

import base64
from collections.abc import Sequence

from custody.model.controls import Framework
from custody.model.report import Report
from custody.reports.frameworks import by_framework
from custody.reports.oscal.catalogs import NAMES, NIST_800_53, catalog
from custody.reports.oscal.reviewed import ALWAYS
from custody.reports.oscal.words import Object, props, stable_uuid, text_of
from custody.reports.safe import Plain

FRAMEWORKS = {framework.value: framework for framework in Framework}


def plan_uuid(of: Sequence[str]) -> str:
    """The id of the resource that stands for the plan."""
    return stable_uuid("plan", *of)


def back_matter(report: Report, controls: Sequence[str], of: Sequence[str]) -> tuple[Object, dict[str, str]]:
    """The resources, and the one (UUID) of each catalogue by its name. Catalogues of ours are in it, whole."""
    frameworks = [name for name, _ in by_framework(controls or (ALWAYS,)) if name in FRAMEWORKS]
    links = {name: stable_uuid("framework", name) for name in frameworks}
    resources = [_plan(report, of), *(_catalog(FRAMEWORKS[name], links[name]) for name in frameworks)]
    if report.checkpoint is not None:
        resources.append(_log(report))
    return {"resources": resources}, links


def _plan(report: Report, of: Sequence[str]) -> Plain:
    contract = report.contract.digest or "none: what services themselves allow"
    return {
        "uuid": plan_uuid(of),
        "title": "What was to be examined",
        "description": text_of(
            "Every credential and record in scope, by every rule of this version, against the contract named."
        ),
        "props": props(custody_version=report.version, contract_sha256=contract, classes=report.contract.classes),
    }


def _catalog(framework: Framework, identifier: str) -> Plain:
    resource: Object = {"uuid": identifier, "title": framework.value}
    name = NAMES.get(framework)
    if name is None:
        resource["rlinks"] = [{"href": NIST_800_53, "media-type": "application/oscal.catalog+json"}]
    else:
        value = base64.b64encode(catalog(framework)).decode()
        media_type = "application/oscal.catalog+json"
        resource["base64"] = {"filename": f"{name}.json", "media-type": media_type, "value": value}
    return resource


def _log(report: Report) -> Plain:
    assert report.checkpoint is not None
    log, size, root = report.checkpoint.log, report.checkpoint.size, report.checkpoint.root
    return {
        "uuid": stable_uuid("log", log),
        "title": "The sealed log that the records cited stand in",
        "description": text_of(f"C2SP tlog-tiles; size {size:,} at the time of these results."),
        "props": props(origin=log, size=size, root=root),
    }
