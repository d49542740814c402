"""Why a request is not answered: as an HTTP status and as OpenAI's `type` of error."""


class BadRequestError(Exception):
    """A request that can never be answered; the message says which field and why."""

    status = 400
    kind = "invalid_request_error"


class UnknownModelError(BadRequestError):
    """A request for a model that is not served here."""

    status = 404
    kind = "not_found_error"


class RefusedError(Exception):
    """A request that may be sent again later: the engine has no room for it."""

    status = 429
    kind = "rate_limit_exceeded"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status or self.status


class NotLoadedError(RefusedError):
    """A request that came before the model was loaded."""

    status = 503
    kind = "service_unavailable"


class MisbehavingError(Exception):
    """A request that is not answered because this engine was told so; see `engine.faults`."""

    kind = "server_error"

    def __init__(self, status: int) -> None:
        super().__init__(f"this engine was told to answer {status}")
        self.status = status
