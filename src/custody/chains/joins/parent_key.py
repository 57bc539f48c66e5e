"""AWS: the access key that asked for a session is the parent of the access key that it got."""

from custody.chains.join import parent_equality

JOIN = parent_equality(
    "parent_key",
    ("aws_akid",),
    "userIdentity.accessKeyId of the issuing call → responseElements.credentials.accessKeyId",
    "a session that a service issued has no parent; across accounts the copy has no key (see shared_event)",
)
