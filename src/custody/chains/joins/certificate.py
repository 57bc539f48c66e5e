"""X.509: the certificate presented is the certificate signed, by serial or by hash."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "certificate",
    ("x509_serial", "x509_sha256"),
    "peer serial or SHA-256 at use = serial or hash at signing",
    "serials come decimal, with colons or with zeros; SPIRE logs one at debug level alone",
)
