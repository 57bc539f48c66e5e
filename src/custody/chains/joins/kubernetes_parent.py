"""Kubernetes: the credential that asked is the parent of the token or certificate that it got."""

from custody.chains.join import parent_equality

JOIN = parent_equality(
    "kubernetes_parent",
    ("k8s_cred",),
    "user.extra credential-id (or accessKeyId) of the request → issued credential id",
    "a kubelet asks with its node certificate for every pod of the node",
)
