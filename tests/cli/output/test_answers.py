"""Answers show ids and titles as they are in the data, except for characters that control a terminal."""

from cli.output import answers

ADDRESS = "https://news.example/story?id=1&key=7"


def test_an_id_that_is_an_address_is_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    row = {"rank": 1, "id": ADDRESS, "score": 0.5, "title": "Alien \x1b[2J\u202e"}
    answers.print_answer("shop version 1", [row], [], {}, None, [], as_json=False)
    assert f"1  {ADDRESS}  0.500  Alien \ufffd[2J\ufffd" in capsys.readouterr().out
