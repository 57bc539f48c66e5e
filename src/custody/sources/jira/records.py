# ruff: noqa: N815 - fields have the names that they have in the log
"""The members of Jira's records that are read. A member of another type makes the record malformed."""

import re

import msgspec

_HOST = re.compile(r"https?://([^/:@?#\s]{1,253})(?::[0-9]{1,5})?(/[^?#\s]*)?", re.IGNORECASE)
_APPROVAL = re.compile(r"/request/([^/]+)/approval/([^/]+)/?$")
UNNAMED = "jira"
"""The scope of keys where a record does not say which site it is from."""


class User(msgspec.Struct, frozen=True, gc=False):
    """A person or app: Cloud gives account ids, a server keys and names."""

    accountId: str | None = None
    accountType: str | None = None
    key: str | None = None
    name: str | None = None

    def called(self) -> str | None:
        """The name that stays the same."""
        return self.accountId or self.key or self.name


class Named(msgspec.Struct, frozen=True, gc=False):
    """A status, an issue type."""

    name: str | None = None


class Project(msgspec.Struct, frozen=True, gc=False):
    """The project of an issue."""

    key: str | None = None


class Fields(msgspec.Struct, frozen=True, gc=False):
    """The fields of an issue that have a name of their own everywhere."""

    status: Named | None = None
    issuetype: Named | None = None
    project: Project | None = None
    reporter: User | None = None
    created: str | None = None
    updated: str | None = None


class Issue(msgspec.Struct, frozen=True, gc=False):
    """An issue; ``self`` is its address."""

    key: str | None = None
    id: str | int | None = None
    address: str | None = msgspec.field(name="self", default=None)
    fields: Fields | None = None


class Item(msgspec.Struct, frozen=True, gc=False):
    """One change of one field."""

    field: str | None = None
    fieldId: str | None = None
    before: str | None = msgspec.field(name="fromString", default=None)
    after: str | None = msgspec.field(name="toString", default=None)


class Changelog(msgspec.Struct, frozen=True, gc=False):
    """What one edit changed."""

    id: str | int | None = None
    items: list[Item] | None = None


class Comment(msgspec.Struct, frozen=True, gc=False):
    """A comment, without what it says."""

    id: str | int | None = None
    author: User | None = None


class Webhook(msgspec.Struct, frozen=True, gc=False):
    """The body of a webhook."""

    webhookEvent: str
    timestamp: int | None = None
    issue: Issue | None = None
    user: User | None = None
    changelog: Changelog | None = None
    comment: Comment | None = None


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A time as Service Management writes it, several times over."""

    epochMillis: int | None = None
    iso8601: str | None = None


class Approver(msgspec.Struct, frozen=True, gc=False):
    """One of the people who may decide, and what they decided."""

    approver: User | None = None
    approverDecision: str | None = None


class Links(msgspec.Struct, frozen=True, gc=False):
    """The approval's own address, which names the request."""

    address: str | None = msgspec.field(name="self", default=None)


class Approval(msgspec.Struct, frozen=True, gc=False):
    """An approval of a request of Service Management, or the API's answer with a page of them in ``values``."""

    finalDecision: str | None = None
    id: str | int | None = None
    name: str | None = None
    approvers: list[Approver] | None = None
    createdDate: Moment | None = None
    completedDate: Moment | None = None
    links: Links | None = msgspec.field(name="_links", default=None)
    values: "list[Approval] | None" = None

    def place(self) -> tuple[str, str | None, str | None]:
        """The site, the request (by key or number) and the approval, as far as the address and the id tell."""
        address = self.links.address if self.links else None
        found = _HOST.match(address or "")
        path = _APPROVAL.search(found[2] or "") if found else None
        number = str(self.id) if self.id not in (None, "") else None
        return site(address), path[1] if path else None, path[2] if path else number


def site(address: str | None) -> str:
    """The host of an address, in lower case."""
    found = _HOST.match(address or "")
    return found[1].lower() if found else UNNAMED
