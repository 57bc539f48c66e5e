"""Kubernetes: the credential id presented is the credential id issued."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "kubernetes_credential",
    ("k8s_cred",),
    "user.extra credential-id = annotation issued-credential-id, or SHA-256 of the signed certificate",
    "servers before 1.30 give no id; GKE leaves it out; the audit policy may drop TokenRequest",
)
