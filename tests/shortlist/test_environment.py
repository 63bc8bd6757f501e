from shortlist import environment


def test_the_users_values_stay_and_reach_external_programs(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    environment.prepare()
    theirs = environment.external_environment()
    assert theirs["TF_NUM_INTRAOP_THREADS"] == "7"
    assert theirs["SOMETHING_ELSE"] == "x"
    # External programs do not get Shortlist's own defaults.
    assert "TF_ENABLE_ONEDNN_OPTS" not in theirs
