"""The contract that lies beside the sample: two classes of identity, with owner, purpose and time to live."""

CONTRACT = """\
# What Tarnholm Freight asks of two of its machine identities. Everything here is invented.
classes:
  deployment:
    match: {subject: "*:role/github-deploy"}
    owner: team:portal
    purpose: "deploys the freight portal from its main branch"
    ttl: 1h
  order-service:
    match: {subject: "*:role/orders-api"}
    owner: team:orders
    purpose: "takes orders and reads its own database secret"
    ttl: 12h
"""
