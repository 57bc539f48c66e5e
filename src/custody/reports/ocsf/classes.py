"""The classes of OCSF 1.8.0 that custody writes, with their numbers, and how an object becomes a line."""

import json

import msgspec

from custody.reports.safe import Plain

VERSION = "1.8.0"
"""Of the OCSF schema. Pinned: later versions move user and role changes to classes of their own."""

PRODUCT = "custody"

Object = dict[str, Plain]

OTHER = 99


class OcsfClass(msgspec.Struct, frozen=True, kw_only=True):
    """One class: its number, its category with number, and the activities used of it by number."""

    uid: int
    name: str
    category: str
    category_uid: int
    activities: dict[int, str]


FINDING_ACTIVITIES = {1: "Create", 2: "Update", 3: "Close"}

COMPLIANCE_FINDING = OcsfClass(
    uid=2003, name="Compliance Finding", category="Findings", category_uid=2, activities=FINDING_ACTIVITIES
)
DETECTION_FINDING = OcsfClass(
    uid=2004, name="Detection Finding", category="Findings", category_uid=2, activities=FINDING_ACTIVITIES
)
IAM_ANALYSIS_FINDING = OcsfClass(
    uid=2008, name="IAM Analysis Finding", category="Findings", category_uid=2, activities=FINDING_ACTIVITIES
)
EVENT_LOG_ACTIVITY = OcsfClass(
    uid=1008, name="Event Log Activity", category="System Activity", category_uid=1, activities={3: "Export"}
)
ACCOUNT_CHANGE = OcsfClass(
    uid=3001,
    name="Account Change",
    category="Identity & Access Management",
    category_uid=3,
    activities={1: "Create", 3: "Password Change", 6: "Delete", 7: "Attach Policy", 8: "Detach Policy"},
)
AUTHENTICATION = OcsfClass(
    uid=3002,
    name="Authentication",
    category="Identity & Access Management",
    category_uid=3,
    activities={1: "Logon", 2: "Logoff"},
)
ENTITY_MANAGEMENT = OcsfClass(
    uid=3004,
    name="Entity Management",
    category="Identity & Access Management",
    category_uid=3,
    activities={1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
)
NETWORK_ACTIVITY = OcsfClass(
    uid=4001, name="Network Activity", category="Network Activity", category_uid=4, activities={6: "Traffic"}
)
APPLICATION_LIFECYCLE = OcsfClass(
    uid=6002,
    name="Application Lifecycle",
    category="Application Activity",
    category_uid=6,
    activities={3: "Start", 4: "Stop"},
)
API_ACTIVITY = OcsfClass(
    uid=6003,
    name="API Activity",
    category="Application Activity",
    category_uid=6,
    activities={1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
)
CLASSES = (
    EVENT_LOG_ACTIVITY, COMPLIANCE_FINDING, DETECTION_FINDING, IAM_ANALYSIS_FINDING, ACCOUNT_CHANGE, AUTHENTICATION,
    ENTITY_MANAGEMENT, NETWORK_ACTIVITY, APPLICATION_LIFECYCLE, API_ACTIVITY,
)  # fmt: skip


def numbered(kind: OcsfClass, activity: int, name: str = "Other") -> Object:
    """The attributes that say which class and activity an object is of; ``name`` is that of activity 99."""
    said = kind.activities.get(activity, name)
    return {
        "class_uid": kind.uid,
        "class_name": kind.name,
        "category_uid": kind.category_uid,
        "category_name": kind.category,
        "activity_id": activity,
        "activity_name": said,
        "type_uid": type_uid(kind, activity),
        "type_name": f"{kind.name}: {said}",
    }


def type_uid(kind: OcsfClass, activity: int) -> int:
    """The number of class and activity together."""
    return kind.uid * 100 + activity


def metadata(version: str, **more: Plain) -> Object:
    """The metadata of an object that custody ``version`` made."""
    product: Object = {"name": PRODUCT, "vendor_name": PRODUCT, "version": version}
    return {"version": VERSION, "product": product, **given(**more)}


def given(**fields: Plain) -> Object:
    """Only those fields that are there: OCSF has no null, and an empty list says nothing."""
    return {name: value for name, value in fields.items() if value or value == 0}


def line(value: Object) -> bytes:
    """One object on a line of its own, in ASCII: what is not visibly itself stands as a JSON escape."""
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f").encode() + b"\n"
