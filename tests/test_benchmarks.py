"The benchmark against other libraries: what it must do before a peer is even there."
import sys
from pathlib import Path

import numpy as np, pandas as pd, pytest
from collab_lesson.comparison import compare, make_task, ranking_systems, rating_systems

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'benchmarks'))
import compare as bench, peers

@pytest.mark.parametrize('spaces,names', [(bench.rating_spaces, {*rating_systems(stock=True), *peers.rating_systems}),
                                          (bench.ranking_spaces, {*ranking_systems(), *peers.ranking_systems})], ids=['stars', 'lists'])
def test_every_setting_belongs_to_a_system(spaces, names):
    assert set(spaces) <= names
    assert all(len(v)>1 or k=='burn' or v==[False] for o in spaces.values() for k,v in o.items()), 'nothing to choose from'

def test_borrowed_settings_come_from_tuned_systems():
    tuned, names = {*bench.rating_spaces, *bench.ranking_spaces}, {*rating_systems(), *ranking_systems(), *peers.rating_systems}
    assert set(bench.same_as.values()) <= tuned and not set(bench.same_as) & tuned and set(bench.same_as) <= names

def test_a_peer_that_does_not_install_is_reported(tmp_path, monkeypatch):
    (tmp_path/'requirements.txt').write_text('# what is not there\n./nowhere-1.0-py3-none-any.whl\n')
    monkeypatch.setattr(bench, 'here', tmp_path)
    monkeypatch.chdir(tmp_path)
    python, installed = bench.install(tmp_path/'venv')
    assert python.exists() and installed['./nowhere-1.0-py3-none-any.whl'].startswith('ERROR')
    assert bench.install(tmp_path/'venv')[1]==installed, 'remembered'

def test_each_system_has_a_process_of_its_own_and_none_takes_the_others_with_it():
    rng = np.random.default_rng(0)
    pairs = rng.permutation(40*30)[:600]
    ratings = pd.DataFrame(dict(user=pairs//30, movie=pairs%30, rating=rng.integers(1, 6, 600), timestamp=np.arange(600)))
    task, truth = make_task(ratings, np.arange(500), np.arange(500, 600))
    run = bench.Processes(sys.executable, limit=100)
    try: df = compare({'bias baseline': 'book', 'not there': 'book'}, task, truth, [1], {'bias baseline': dict(damping=4)}, run).set_index('system')
    finally: run.close()
    good, bad = df.loc['bias baseline'], df.loc['not there']
    assert 1<good.RMSE<2.2 and good.fit_s>0 and good.peak_mb>good.before_mb-1>0 and pd.isna(good.error)
    assert pd.isna(bad.RMSE) and bad.error=="KeyError: 'not there'"

def test_markdown():
    assert bench.markdown(pd.DataFrame(dict(a=[1.23456], b=['x']), index=['row']))=='|  | a | b |\n|---|---|---|\n| row | 1.235 | x |'
