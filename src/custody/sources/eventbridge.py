"""How EventBridge wraps what AWS services send it: one envelope for all, whose ``detail`` is the record.

Format: "AWS service events", Amazon EventBridge User Guide. Anybody with the right to put events may fill a ``detail``
as they like; only AWS itself may name a ``source`` that begins with ``aws.``.
"""

from custody.model.records import Wrapping

WRAPPING = Wrapping(form="eventbridge", inner="detail", marker="detail-type", sender=("source", "aws."))
