from shortlist import environment


def test_what_the_user_set_stays_and_a_program_of_others_gets_it(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    environment.prepare()
    theirs = environment.external_environment()
    assert theirs["TF_NUM_INTRAOP_THREADS"] == "7"
    assert theirs["SOMETHING_ELSE"] == "x"
    # What suits Shortlist alone, they do without.
    assert "TF_ENABLE_ONEDNN_OPTS" not in theirs
