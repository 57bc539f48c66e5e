"""AWS: the addresses that an instance calls from, as the log itself tells: its own, elastic ones, its network's NAT."""

from custody.chains.join import Grade, Join

PRIVATE = " OR ".join(
    f"r.address LIKE '{start}.%'" for start in ("10", "192.168", *(f"172.{number}" for number in range(16, 32)))
)
"""Addresses of private networks (RFC 1918): they say nothing about how a workload leaves its network."""

JOIN = Join(
    id="network_origin",
    relation="origin → workload",
    grade=Grade.EXACT,
    fields="RunInstances vpcId = CreateNatGateway vpcId; allocationId of the gateway = AllocateAddress; instanceId",
    asserter="issuer",
    pitfalls="a NAT address is shared by everything in its network; gateways older than the log are not seen",
    counted=False,
    kept=False,
    sql=f"""
        WITH sound AS (
            SELECT p.* FROM parts p
            WHERE p.stage = 'start' AND NOT EXISTS (SELECT 1 FROM conflicted c WHERE c.leaf = p.leaf)
        ), ended AS (
            SELECT key, effect, min(time) AS time FROM parts
            WHERE stage = 'end' AND key IS NOT NULL GROUP BY key, effect
        ), runs AS (
            SELECT s.key AS workload, s.object AS address, s.related AS network, s.leaf, s.time, e.time AS until
            FROM sound s
            LEFT JOIN ended e ON e.key = s.key AND e.effect = 'instance.terminate'
            WHERE s.effect = 'instance.run'
        ), allocated AS (
            SELECT s.key, s.account, s.object AS address, s.leaf, s.time, e.time AS until FROM sound s
            LEFT JOIN ended e ON e.key = s.key AND e.effect = 'address.release' AND e.time >= s.time
            WHERE s.effect = 'address.allocate'
        ), associated AS (
            SELECT s.key AS workload, s.account, s.object, s.related AS association, s.leaf, s.time, a.address,
                   a.key AS allocation, a.leaf AS leaf_address, a.until
            FROM sound s
            JOIN allocated a
              ON a.account = s.account
             AND (a.key = concat('aws_address:', s.account, ':', s.object) OR a.address = s.object)
             AND a.time <= s.time AND (a.until IS NULL OR a.until >= s.time)
            WHERE s.effect = 'address.associate'
        ), departed AS (
            SELECT s.leaf, min(d.time) AS time
            FROM associated s
            JOIN parts d
              ON d.account = s.account AND d.time >= s.time AND d.leaf <> s.leaf
             AND (d.effect = 'address.disassociate' AND d.related = s.association
                  OR d.effect = 'address.disassociate' AND d.key = s.allocation
                  OR d.effect = 'address.disassociate' AND d.object = s.address
                  OR d.effect = 'address.associate' AND d.object = s.object AND d.key <> s.workload)
            WHERE d.effect IN ('address.disassociate', 'address.associate')
            GROUP BY s.leaf
        )
        SELECT r.address AS from_key, r.workload AS to_key, r.leaf AS leaf, r.time AS since, r.until AS until,
               'own address' AS how, NOT ({PRIVATE}) AS egress, TRUE AS sure,
               r.leaf AS leaf_run, CAST(NULL AS BIGINT) AS leaf_address
        FROM runs r
        WHERE r.address IS NOT NULL
        UNION ALL
        SELECT DISTINCT s.address, r.workload, s.leaf, s.time, least(s.until, d.time, r.until), 'elastic address',
               TRUE, TRUE, r.leaf, s.leaf_address
        FROM associated s
        JOIN runs r ON r.workload = s.workload
        LEFT JOIN departed d ON d.leaf = s.leaf
        UNION ALL
        SELECT DISTINCT a.address, r.workload, n.leaf, greatest(n.time, r.time), least(a.until, e.time, r.until),
               'NAT of its network', TRUE, FALSE, r.leaf, a.leaf
        FROM sound n
        JOIN runs r ON r.network = n.related
        JOIN allocated a ON a.key = concat('aws_address:', n.account, ':', n.object)
        LEFT JOIN ended e ON e.key = n.key AND e.effect = 'nat.delete'
        WHERE n.effect = 'nat.create'
    """,
)
