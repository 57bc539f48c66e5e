"""Puts the service together: the routes, how errors are shown, and the front before all of it."""

from __future__ import annotations

from typing import cast

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandler

from custody.broker.desk import Desk
from custody.errors import CustodyError
from custody.serve import documentation
from custody.serve.answers import Answers
from custody.serve.front import Front
from custody.serve.lines import Journalist
from custody.serve.metrics import Metrics
from custody.serve.parts import ServiceParts
from custody.serve.passage import Shop
from custody.serve.routes import DESCRIBED


def build(desk: Desk, parts: ServiceParts) -> Front:
    """The ASGI application of the broker. Its lifespan is Litestar's; ``Front.app`` is the application behind."""
    journalist = Journalist(parts.clock, parts.log)
    metrics = Metrics(parts.health.gauges)
    answers = Answers(journalist, parts.approvals)
    shop = Shop(desk, parts, metrics)
    app = Litestar(
        [*DESCRIBED, *documentation.ROUTES],
        state=State({"shop": shop}),
        debug=False,
        logging_config=None,
        request_max_body_size=None,
        exception_handlers={
            CustodyError: cast("ExceptionHandler[CustodyError]", answers.custody),
            HTTPException: cast("ExceptionHandler[HTTPException]", answers.http),
            500: answers.unforeseen,
        },
        openapi_config=None,
    )
    return Front(app, parts, metrics, journalist)
