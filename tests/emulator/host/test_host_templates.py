"""Route templates and constraints match as those of ASP.NET Core."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.host.constraints import constraint
from emulator.host.errors import CannotStart
from emulator.host.http_server import Routes
from emulator.host.indexing import Function
from emulator.host.templates import Template, path_segments


def match(template: str, path: str) -> dict[str, str] | None:
    return Template(template).match(path_segments(path))


@pytest.mark.parametrize(
    ("text", "taken", "refused"),
    [
        ("int", ["0", "-7", "+7", "2147483647"], ["2147483648", "1.0", "x", "0x1", ""]),
        ("long", ["9223372036854775807"], ["9223372036854775808"]),
        (
            "guid",
            ["7C3F0000-0000-0000-0000-000000000001", "{7c3f0000-0000-0000-0000-000000000001}", "0" * 32],
            ["7c3f", "7c3f0000-0000-0000-0000-00000000000g", "7c3f00000000-0000-0000-000000000001"],
        ),
        ("alpha", ["abC"], ["ab1", "ä"]),
        ("bool", ["true", "FALSE"], ["1", "yes"]),
        ("decimal", ["1.5", "-3", ".5"], ["1e5", "x"]),
        ("min(3)", ["3"], ["2", "x"]),
        ("max(3)", ["-3"], ["4"]),
        ("range(1,99)", ["1", "99"], ["0", "100"]),
        ("length(2)", ["ab", "\N{GRINNING FACE}"], ["a", "abc"]),
        ("length(1,2)", ["a"], ["abc"]),
        ("minlength(2)", ["abc"], ["a"]),
        ("maxlength(2)", ["a"], ["abc"]),
        (r"regex(^\d{3}$)", ["123"], ["12", "1234"]),
        ("regex(b)", ["aBc"], ["ac"]),
    ],
)
def test_constraints(text: str, taken: list[str], refused: list[str]) -> None:
    test = constraint(text)
    assert [value for value in taken if not test(value)] == []
    assert [value for value in refused if test(value)] == []


@pytest.mark.parametrize("text", ["number", "datetime", "min", "min(x)", "range(1)", "regex(()", "int(3)"])
def test_an_unknown_constraint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        constraint(text)


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/items", "/API/Items/", {}),
        ("api/items", "/api//items", None),
        ("api/{id}", "/api/", None),
        ("api/{id?}", "/api", {}),
        ("api/{id=5}", "/api", {"id": "5"}),
        ("api/{id:int:min(3)=5}", "/api/2", None),
        (r"api/{id:regex(^\d{{2}}/?$)}", "/api/12", {"id": "12"}),
        ("api/{*rest}", "/api/a//b", {"rest": "a//b"}),
        ("api/{*rest:regex(^a)}", "/api/b/a", None),
        ("api/v{major:int}.{minor}", "/api/v1.2", {"major": "1", "minor": "2"}),
        ("api/{name}.json", "/api/a.b.json", {"name": "a.b"}),
        ("api/{name}.json", "/api/.json", None),
        ("api/{a}/{b?}", "/api/1/2/3", None),
    ],
)
def test_matching(template: str, path: str, values: dict[str, str] | None) -> None:
    assert match(template, path) == values


@pytest.mark.parametrize(
    "template",
    ["/api", "api/", "a//b", "{*a}/b", "{a}{b}", "x{a?}", "{a}/{A}", "{a", "a}", "{}", "{a:int?=3}", "{*a?}", "{a b}"],
)
def test_a_template_that_can_not_be_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="route"):
        Template(template)


segments = st.text(min_size=1, max_size=8).filter(lambda text: text not in (".", ".."))


@given(st.lists(segments, min_size=1, max_size=4))
def test_whatever_stands_in_a_segment_arrives(values: list[str]) -> None:
    template = "/".join(f"{{p{at}}}" for at in range(len(values)))
    path = "/" + "/".join(quote(value.replace("/", "-"), safe="") for value in values)
    expected = {f"p{at}": value.replace("/", "-") for at, value in enumerate(values)}
    assert match(template, path) == expected


def function(name: str, route: str, *methods: str) -> Function:
    trigger = {"type": "httpTrigger", "name": "req", "route": route, "methods": list(methods)}
    return Function(name, print, trigger, {}, wants_context=False, directory="")


def test_one_route_for_two_functions_is_refused_where_their_methods_overlap() -> None:
    Routes([function("a", "items/{id}", "GET"), function("b", "items/{id}", "POST")], "api")
    with pytest.raises(CannotStart, match=r"function b: its route 'api/ITEMS' conflicts with that of a"):
        Routes([function("b", "ITEMS", "GET"), function("a", "items")], "api")


def test_routes_of_the_host_are_reserved() -> None:
    Routes([function("a", "admin/x")], "api")
    with pytest.raises(CannotStart, match="reserved"):
        Routes([function("a", "admin/x")], "")
