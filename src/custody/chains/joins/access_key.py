"""AWS: the access key presented is the access key issued."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "access_key",
    ("aws_akid",),
    "userIdentity.accessKeyId (EKS: user.extra.accessKeyId) = responseElements.….accessKeyId",
    "forward access sessions and console keys have no issuance; issue and first use share a second",
)
