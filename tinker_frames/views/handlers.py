"""Handlers of the browser's requests: one per kind of request, checked against its declaration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import requests as m
from .explorer import Explorer
from .task import describe_error

OF_PANEL = (
    "begin",
    "answer",
    "estimate",
    "allow",
    "list",
    "confirm",
    "cancel",
    "undo",
    "retry",
    "edit",
    "close",
)  # their errors are shown there


def handle(explorer: Explorer, request: Any) -> m.Reply | None:
    """Handle a request, and return a reply if it needs one; errors are shown in the view, never raised."""
    try:
        handler = HANDLERS[request["do"]]
        with explorer.lock:
            if request["do"] in OF_PANEL:
                explorer.panel.clear_error()
            return handler(explorer, request)
    except Exception as error:  # noqa: BLE001  # an exception would not be visible in a notebook
        is_of_panel = isinstance(request, dict) and request.get("do") in OF_PANEL
        show = explorer.panel.show_error if is_of_panel else explorer.show_error
        show(describe_error(error))
    return None


def _rows(explorer: Explorer, request: m.RowsRequest) -> m.RowsReply | None:
    if request["number"] != explorer.state.rows.number:
        return None
    place = int(request["place"])
    return {"chunk": place, "number": request["number"], "rows": explorer.state.chunk(place)}


def _filter(explorer: Explorer, request: m.FilterRequest) -> None:
    explorer.set_filter(request["name"], request.get("value"))


def _pick(explorer: Explorer, request: m.PickRequest) -> None:
    groups = int(request["first"]), int(request["last"])
    explorer.pick(str(request["id"]), groups, int(request["number"]))


def _pick_chart(explorer: Explorer, request: m.ChartPickRequest) -> None:
    groups = int(request["first"]), int(request["last"])
    explorer.pick_chart(str(request["id"]), groups, int(request["number"]))


def _facet(explorer: Explorer, request: m.FacetRequest) -> None:
    explorer.open_facet(str(request["name"]), str(request.get("search", "")))


def _sort(explorer: Explorer, request: m.SortRequest) -> None:
    explorer.order_by(list(map(str, request["sort"])))


def _columns(explorer: Explorer, request: m.ColumnsRequest) -> None:
    explorer.show_columns(list(map(str, request["columns"])))


def _width(explorer: Explorer, request: m.WidthRequest) -> None:
    explorer.state.resize(str(request["id"]), int(request["width"]))


def _select(explorer: Explorer, request: m.SelectRequest) -> None:
    first, last = int(request.get("first", 0)), int(request.get("last", 0))
    explorer.select(request["how"], first, last, request.get("number"))


def _open(explorer: Explorer, request: m.OpenRequest) -> None:
    if "place" not in request:
        explorer.open(str(request["label"]), None)
    elif request.get("number") == explorer.state.rows.number:
        explorer.open(str(request["label"]), int(request["place"]))


def _detail(explorer: Explorer, request: m.DetailRequest) -> None:
    explorer.details.open(explorer.state, str(request["key"]))


def _curve(explorer: Explorer, request: m.CurveRequest) -> None:
    explorer.details.draw_metric(str(request["metric"]))


def _back(explorer: Explorer, request: m.BackRequest) -> None:
    explorer.back(int(request["depth"]))


def _charts(explorer: Explorer, request: m.ChartsRequest) -> None:
    explorer.show_charts(bool(request["on"]))


def _code(explorer: Explorer, _: m.Command) -> m.CodeReply:
    return {"code": explorer.code()}


def _names(explorer: Explorer, _: m.Command) -> m.NamesReply:
    return {"names": explorer.state.names()}


def _begin(explorer: Explorer, request: m.ActionRequest) -> None:
    explorer.begin_action(str(request["action"]))


def _answer(explorer: Explorer, request: m.AnswerRequest) -> None:
    explorer.panel.answer(dict(request["given"]))


def _estimate(explorer: Explorer, request: m.EstimateRequest) -> None:
    explorer.panel.estimate(dict(request["given"]))


def _allow(explorer: Explorer, request: m.AllowRequest) -> None:
    explorer.panel.allow(list(request["guards"]))


def _list(explorer: Explorer, request: m.ListRequest) -> None:
    first = request.get("first")
    explorer.panel.list_rows(
        str(request["verdict"]), str(request.get("reason", "")), None if first is None else int(first)
    )


def _copy(explorer: Explorer, request: m.CopyRequest) -> m.CopyReply:
    return explorer.state.copy_rows(request["what"], int(request["place"]))


def _confirm(explorer: Explorer, request: m.ConfirmRequest) -> None:
    explorer.panel.confirm(str(request.get("typed", "")))


def _undo(explorer: Explorer, request: m.UndoRequest) -> None:
    explorer.panel.undo(str(request.get("typed", "")))


HANDLERS: dict[str, Callable[[Explorer, Any], m.Reply | None]] = {
    "ping": lambda _, __: None,
    "ready": lambda explorer, _: explorer.send_summaries(),
    "rows": _rows,
    "filter": _filter,
    "reset": lambda explorer, _: explorer.reset(),
    "pick": _pick,
    "pick_chart": _pick_chart,
    "facet": _facet,
    "sort": _sort,
    "columns": _columns,
    "width": _width,
    "select": _select,
    "open": _open,
    "back": _back,
    "refresh": lambda explorer, _: explorer.refresh(),
    "stop": lambda explorer, _: explorer.stop_reading(),
    "charts": _charts,
    "dismiss": lambda explorer, _: explorer.set_note(""),
    "code": _code,
    "names": _names,
    "detail": _detail,
    "curve": _curve,
    "samplers": lambda explorer, _: explorer.details.find_samplers(explorer.state),
    "begin": _begin,
    "answer": _answer,
    "estimate": _estimate,
    "allow": _allow,
    "list": _list,
    "copy": _copy,
    "confirm": _confirm,
    "cancel": lambda explorer, _: explorer.panel.cancel(),
    "undo": _undo,
    "retry": lambda explorer, _: explorer.panel.retry(),
    "edit": lambda explorer, _: explorer.panel.edit(),
    "close": lambda explorer, _: explorer.panel.close(),
}
