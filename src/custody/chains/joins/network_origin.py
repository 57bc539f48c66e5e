"""AWS: the addresses that an instance calls from, as the log itself tells: its own, elastic ones, its network's NAT."""

from custody.chains.join import Grade, Join

JOIN = Join(
    id="network_origin",
    relation="origin → workload",
    grade=Grade.EXACT,
    fields="RunInstances vpcId = CreateNatGateway vpcId; allocationId of the gateway = AllocateAddress; instanceId",
    asserter="issuer",
    pitfalls="a NAT address is shared by everything in its network; gateways older than the log are not seen",
    counted=False,
    kept=False,
    sql="""
        WITH runs AS (
            SELECT key AS workload, object AS address, related AS network, leaf, time FROM parts
            WHERE stage = 'start' AND effect = 'instance.run'
        ), ended AS (
            SELECT key, effect, min(time) AS time FROM parts
            WHERE stage = 'end' AND key IS NOT NULL GROUP BY key, effect
        ), allocated AS (
            SELECT a.key, a.object AS address, a.leaf, a.time, e.time AS until FROM parts a
            LEFT JOIN ended e ON e.key = a.key AND e.effect = 'address.release' AND e.time >= a.time
            WHERE a.stage = 'start' AND a.effect = 'address.allocate'
        )
        SELECT r.address AS from_key, r.workload AS to_key, r.leaf AS leaf, r.time AS since, e.time AS until,
               'own address' AS how, FALSE AS egress, r.leaf AS leaf_run, CAST(NULL AS BIGINT) AS leaf_address
        FROM runs r LEFT JOIN ended e ON e.key = r.workload AND e.effect = 'instance.terminate'
        WHERE r.address IS NOT NULL
        UNION ALL
        SELECT a.address, r.workload, a.leaf, a.time, a.until, 'elastic address', TRUE, r.leaf, a.leaf
        FROM parts s
        JOIN runs r ON r.workload = s.key
        JOIN allocated a ON a.address = s.object OR a.key = concat('aws_address:', s.account, ':', s.object)
        WHERE s.stage = 'start' AND s.effect = 'address.associate'
        UNION ALL
        SELECT a.address, r.workload, n.leaf, a.time, a.until, 'NAT of its network', TRUE, r.leaf, a.leaf
        FROM parts n
        JOIN runs r ON r.network = n.related
        JOIN allocated a ON a.key = concat('aws_address:', n.account, ':', n.object)
        WHERE n.stage = 'start' AND n.effect = 'nat.create'
    """,
)
