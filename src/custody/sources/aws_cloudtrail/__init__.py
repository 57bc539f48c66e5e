"""AWS CloudTrail: who called which AWS API with which key, and which keys AWS issued.

Log format: "CloudTrail record contents", AWS CloudTrail User Guide. Records come as delivered to S3
(``{"Records": […]}``), as ``lookup-events`` output (the record is a JSON string) and in EventBridge envelopes.
"""

from custody.model.records import Wrapping
from custody.sources import eventbridge
from custody.sources.aws_cloudtrail.event import read
from custody.sources.aws_cloudtrail.identity import identify, identify_all, recognise
from custody.sources.source import Source

_SECOND = 1_000_000

SOURCE = Source(
    name="aws.cloudtrail",
    title="AWS CloudTrail",
    wrappings=(
        Wrapping(form="delivered", container="Records"),
        Wrapping(form="lookup-events", container="Events", inner="CloudTrailEvent", encoded=True, marker="EventId"),
        eventbridge.WRAPPING,
    ),
    recognise=recognise,
    identify=identify,
    identify_all=identify_all,
    read=read,
    marks=(b"eventSource",),
    time_resolution=_SECOND,
    delivery_delay=15 * 60 * _SECOND,
    standing="samples",
    proves=(
        "issuance and use of AWS access keys (the issuer and the verifier are AWS), denied calls, ends of keys, "
        "roles, users and instances, and changes of grants; data events only where a trail selects them"
    ),
    enable=(
        "aws cloudtrail create-trail --name custody --s3-bucket-name BUCKET --is-multi-region-trail "
        "--enable-log-file-validation; aws cloudtrail start-logging --name custody"
    ),
)
