"""Broker: the run that the verified token names is the run that the credential was issued to."""

from custody.chains.join import RUN, Grade, Join

JOIN = Join(
    id="brokered_run",
    relation=RUN,
    grade=Grade.EXACT,
    fields="pod uid, run id and attempt of the verified token = the run that its orchestrator recorded",
    asserter="issuer: the broker verified the token that names the run",
    pitfalls="the run that a requester states for itself (intent.run) is their word, and joins nothing",
    sql="""
        SELECT b.key AS from_key, b.run AS to_key, b.leaf AS leaf, 'issuer' AS asserter, 1 AS candidates
        FROM brokered b
        WHERE b.run IS NOT NULL
    """,
)
