"""AWS Lambda's platform lines: which invocation of a function started and ended when.

Log formats: the START, END and REPORT lines of the text format and the ``platform.*`` events of the JSON format and
the Telemetry API ("Lambda Telemetry API Event schema reference", AWS Lambda Developer Guide), in CloudWatch Logs
wrappings, as ``aws logs tail`` prints them, and as CloudWatch Logs exports them to S3.

The stream also holds what the function prints, and a function can print lines like these about itself or another.
"""

from custody.model.records import TextFraming, Wrapping
from custody.sources.aws_lambda.event import read
from custody.sources.aws_lambda.lines import HEAD
from custody.sources.aws_lambda.record import SIGNS, identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

_SECOND = 1_000_000

SOURCE = Source(
    name="aws.lambda",
    title="AWS Lambda platform logs",
    wrappings=(
        Wrapping(form="cloudwatch", container="logEvents", beside="logGroup"),
        Wrapping(form="cloudwatch", container="events", beside="nextForwardToken"),
        Wrapping(form="cloudwatch", container="events", beside="searchedLogStreams"),
    ),
    texts=(TextFraming(form="tail", head=HEAD),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=SIGNS,
    glance=SUSPECTS.look,
    time_resolution=_SECOND,
    delivery_delay=5 * 60 * _SECOND,
    proves=(
        "starts and ends of invocations, as far as the function does not print such lines itself; no credential: a "
        "function's keys are bound to its role, for all of its invocations"
    ),
    enable=(
        "on by default where the function's role may write to CloudWatch Logs; export with aws logs filter-log-events "
        "--log-group-name /aws/lambda/FUNCTION --filter-pattern '?START ?END ?REPORT ?platform', or by a subscription"
    ),
)
