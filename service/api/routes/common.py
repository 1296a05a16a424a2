"""What the routes share: what they work with, and how they declare what they answer."""

from __future__ import annotations

from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from fastapi import Header, Request
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from service.api.negotiate import accepted
from service.api.problems import MEDIA_TYPE, ProblemError, invalid_parameter
from service.contract.values.errors import ErrorCode
from service.contract.values.media_types import JSON, NPZ, SAFETENSORS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from fastapi.dependencies.models import Dependant
    from pydantic.fields import FieldInfo

Responses = dict[int | str, dict[str, Any]]

LONGEST_NAME = 100
"""Characters of an unknown parameter's name that its refusal repeats."""


def _flag(value: object) -> object:
    if value not in {"true", "false", True, False}:
        raise PydanticCustomError("not_a_boolean", "must be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Prefer = Annotated[str | None, Header(description="`wait=N`: wait up to N seconds, 30 at most.")]


class Route(APIRoute):
    """A route that refuses a query parameter which it does not have, or which is there twice and takes one value.

    A mistyped one would change nothing, and of two values one would be dropped, without a word. A request that has none
    of the parameters goes straight to a function that takes the request and answers a response: the framework takes
    longer to find so many defaults than the function takes to queue a small job.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        known = {str(field.alias): field.field_info for field in self.dependant.query_params}
        headers = [str(field.alias) for field in self.dependant.header_params]
        direct = self.response_model is None and _takes_the_request_alone(self.dependant)

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_parameters(request, known)
            elif direct and not any(name in request.headers for name in headers):
                response: Response = await self.endpoint(request=request)
                return response
            return await answer(request)

        return checked


def _takes_the_request_alone(dependant: Dependant) -> bool:
    """Whether a function can be called with nothing but the request, as every parameter of it has a default."""
    return (
        iscoroutinefunction(dependant.call)
        and dependant.request_param_name == "request"
        and not (dependant.path_params or dependant.cookie_params or dependant.body_params or dependant.dependencies)
        and not any(field.field_info.is_required() for field in (*dependant.query_params, *dependant.header_params))
    )


def _check_parameters(request: Request, known: Mapping[str, FieldInfo]) -> None:
    """Raise ProblemError 422, which names the parameters there are."""
    for name in request.query_params:
        if name not in known:
            there = f"; the parameters are {', '.join(sorted(known))}" if known else ""
            raise invalid_parameter(name[:LONGEST_NAME], f"is not known here{there}", "unknown_parameter")
        if len(request.query_params.getlist(name)) > 1 and get_origin(known[name].annotation) is not list:
            raise invalid_parameter(name, "is there twice", "twice")


def ref(*names: str) -> dict[str, Any]:
    """Refer to a schema, or to one of several, that `service.api.openapi` puts into the document."""
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def one_of(tag: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Refer to the one of several schemas that the field ``tag`` names."""
    mapping = {value: f"#/components/schemas/{name}" for value, name in names.items()}
    refs = [{"$ref": reference} for reference in mapping.values()]
    return {"oneOf": refs, "discriminator": {"propertyName": tag, "mapping": mapping}}


def answers(
    status: HTTPStatus,
    description: str,
    content: str | Mapping[str, Any] | None = None,
    headers: tuple[str, ...] = (),
) -> Responses:
    """Declare an answer for ``responses=`` of a route: JSON by its schema's name, or content by media type, or none."""
    answer: dict[str, Any] = {"description": description}
    if content is not None:
        answer["content"] = {JSON: {"schema": ref(content)}} if isinstance(content, str) else dict(content)
    if headers:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return {int(status): answer}


def problems(*statuses: HTTPStatus) -> Responses:
    """Declare the errors of a route for ``responses=``; every route may fail with 500."""
    content = {MEDIA_TYPE: {"schema": ref("Problem")}}
    every = (*statuses, HTTPStatus.INTERNAL_SERVER_ERROR)
    return {int(status): {"description": status.phrase, "content": content} for status in every}


def json_response(
    content: str | bytes, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer JSON that is written already."""
    return Response(content, status, headers=headers, media_type=JSON)


def choose_form(accept: str, numbers: int, most: int) -> str:
    """Return the media type to answer arrays in, with JSON for ``most`` numbers at most.

    Binary forms are never sent to who did not name them.

    Raises
    ------
    ProblemError
        406 with what there is.
    """
    acceptable = accepted(accept, (JSON, SAFETENSORS, NPZ))
    for offer, exact in acceptable:
        if offer == JSON and numbers <= most:
            return offer
        if offer != JSON and exact:
            return offer
    if any(offer == JSON for offer, _ in acceptable):
        detail = f"{numbers} numbers are more than the {most} that are sent as JSON; accept {SAFETENSORS} or {NPZ}."
    else:
        detail = f"The forms are {JSON}, {SAFETENSORS} and {NPZ}."
    raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, ErrorCode.NOT_ACCEPTABLE, detail)
