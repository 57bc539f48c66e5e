"""custody: the chain of custody for machine identities.

The rooms, from the command line down (imports only go down)::

    cli → pipeline → readers | sources | rules | reports → chains → store → ledger | engine → settings → model → errors
"""

__version__ = "0.1.0"
