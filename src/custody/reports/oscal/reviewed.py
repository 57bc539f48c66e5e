"""The controls that were looked at, by catalogue."""

from collections.abc import Mapping, Sequence

from custody.reports.frameworks import by_framework
from custody.reports.oscal.words import Object, control_id, props, text_of
from custody.reports.safe import Plain

ALWAYS = "AU-10(3)"
"""What is looked at where rules name no control: the chain of custody itself. The form wants one."""


def reviewed_controls(names: Sequence[str], links: Mapping[str, str]) -> Object:
    """A selection for each catalogue; ``links`` gives the back-matter resource (UUID) of each."""
    selections = [_selection(framework, ids, links) for framework, ids in by_framework(names or (ALWAYS,))]
    said = "The controls that custody's rules speak to. That one is listed says that logs were examined for it."
    return {"description": said, "control-selections": selections}


def _selection(framework: str, ids: Sequence[str], links: Mapping[str, str]) -> Plain:
    chosen: list[Plain] = [{"control-id": each} for each in sorted(set(map(control_id, ids)))]
    selection: Object = {
        "description": text_of(framework),
        "props": props(framework=framework),
        "include-controls": chosen,
    }
    if framework in links:
        selection["links"] = [{"href": f"#{links[framework]}", "rel": "reference"}]
    return selection
