"""The sealed log: one file a specification. Knows nothing of records, stores or reports.

``merkle`` RFC 6962 hashing and RFC 9162 verification, ``tiles`` C2SP tlog-tiles layout, ``note`` C2SP signed-note,
``checkpoint`` C2SP tlog-checkpoint, ``tree`` the writer's tree, ``proof`` C2SP tlog-proof, ``entry`` custody's own
entries, ``fsck`` the independent check of a whole log.
"""
