"""The first cause of a failure, and the chain of exceptions that leads to it."""

from __future__ import annotations

import pytest

from shortlist.process.causes import chain, first_cause, quoted_exceptions, without_step


def _raised(function):
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        function()
    return caught.value


def test_root_of_a_chain_of_causes():
    def node():
        try:
            try:
                {}["shape"]
            except KeyError as error:
                raise ValueError("no shape\nin detail") from error
        except ValueError as error:
            raise RuntimeError("the executor failed") from error

    assert first_cause(_raised(node)) == "KeyError: 'shape'"


def test_a_handled_exception_is_not_the_cause():
    def node():
        try:
            {}["cache"]
        except KeyError:
            raise ValueError("the disk is slow")  # noqa: B904

    assert first_cause(_raised(node)) == "ValueError: the disk is slow"


def test_beams_step_is_cut_off():
    def node():
        try:
            raise ValueError("row 7 is odd")
        except ValueError as error:
            raise ValueError(f"{error} [while running 'Read']")  # noqa: B904

    assert first_cause(_raised(node)) == "ValueError: row 7 is odd"


def test_traceback_of_a_worker_that_is_quoted():
    text = (
        "Traceback (most recent call last):\n"
        '  File "worker.py", line 3, in process\n'
        "components.odd.OddError: row 7 is odd\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        "RuntimeError: row 7 is odd [while running 'Read']\n"
    )
    assert first_cause(RuntimeError(text)) == "OddError: row 7 is odd"


def test_tensorflows_location_in_the_graph_is_left_out():
    text = (
        "Graph execution error:\n\nDetected at node Assert defined at (most recent call last):\n"
        "<stack traces unavailable>\nassertion failed: [a row without targets]\n\t [[{{node Assert}}]] [Op:__inference]"
    )
    assert first_cause(ValueError(text)) == "ValueError: assertion failed: [a row without targets]"


def test_an_exception_without_a_message():
    assert first_cause(MemoryError()) == "MemoryError"


def test_a_circle_ends():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert list(chain(one)) == [one, other]
    assert first_cause(one) == "ValueError: other"


def test_chain_with_and_without_handled_exceptions():
    cause, handled, raised = KeyError("cause"), OSError("handled"), ValueError("raised")
    handled.__cause__, raised.__context__ = cause, handled
    assert list(chain(raised)) == [raised, handled, cause]
    assert list(chain(raised, with_handled=False)) == [raised]


def test_chain_prefers_the_cause():
    cause, raised = KeyError("cause"), ValueError("raised")
    raised.__cause__, raised.__context__ = cause, OSError("handled")
    assert list(chain(raised)) == [raised, cause]


def test_steps_of_nested_transforms_are_cut_off():
    assert without_step("row 7 is odd [while running 'Read'] [while running 'All']") == "row 7 is odd"
    assert without_step("[while running] stays") == "[while running] stays"


def test_quoted_exceptions_have_their_dotted_type_and_no_step():
    text = (
        "Traceback (most recent call last):\n    except KeyError: pass\nbuiltins.OddError: one [while running 'Read']\n"
        "\nRuntimeError: two\n"
    )
    assert list(quoted_exceptions(text)) == [("builtins.OddError", "one"), ("RuntimeError", "two")]


def test_traceback_whose_line_ends_a_job_server_escaped():
    text = (
        r"Traceback (most recent call last):\n  File\na.OddError: got 'x\\ny' [while running 'A']\n\nRuntimeError: two"
    )
    assert list(quoted_exceptions(text)) == [("a.OddError", r"got 'x\\ny'"), ("RuntimeError", "two")]
    assert first_cause(RuntimeError(text)).startswith("OddError: got")


def test_escapes_within_a_quoted_message_do_not_end_it():
    text = "Traceback (most recent call last):\n" + r"OddError: got 'x\nError: y'"
    assert list(quoted_exceptions(text)) == [("OddError", r"got 'x\nError: y'")]
