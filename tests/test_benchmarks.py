"The benchmarks: what they must do before a peer is even there, on any system, and on anybody's ratings."
import io, json, math, shutil, subprocess, sys, urllib.error
from types import SimpleNamespace

import numpy as np, pandas as pd, pytest
from common import python, root
from collab_lesson import movielens, speed
from collab_lesson.comparison import compare, make_task, ranking_systems, rating_systems, score_answers, task_arrays
from collab_lesson.ratings import Ratings

sys.path.insert(0, str(root/'benchmarks'))
import compare as bench, peers

def small_ratings(n=600, n_users=40, n_items=30, name=str):
    df = speed.random_ratings(n, n_users, n_items)
    return Ratings(df.assign(user=df.user.map(name), item=df.item.map(name), time=np.arange(n)), time='time')

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
    r = small_ratings()
    task, truth = make_task(r[:500], r[500:])
    run = bench.Processes(sys.executable, limit=100)
    try: df = compare({'bias baseline': 'book', 'not there': 'book'}, task, truth, [1], {'bias baseline': dict(damping=4)}, run).set_index('system')
    finally: run.close()
    good, bad = df.loc['bias baseline'], df.loc['not there']
    assert 1<good.RMSE<2.2 and good.fit_s>0 and good.peak_mb>good.before_mb-1>0 and pd.isna(good.error)
    assert pd.isna(bad.RMSE) and bad.error=="KeyError: 'not there'"

def test_markdown():
    assert bench.markdown(pd.DataFrame(dict(a=[1.23456], b=['x']), index=['row']))=='|  | a | b |\n|---|---|---|\n| row | 1.235 | x |'

def test_peers_lists_are_rows_of_the_books_tables(tmp_path, monkeypatch):
    "Peers number items from 0, the book from 1; their process has the clock and the meter, and nothing else of the book's"
    shutil.copy(root/'benchmarks/worker.py', tmp_path)
    (tmp_path/'peers.py').write_text("""if True:
        import sys, numpy as np
        assert not {'torch', 'pandas', 'fastai'} & set(sys.modules), 'a peer would be charged for these'
        def answers(o): return lambda t, seed: lambda: np.tile(o, (t.n_users, 1))
        ranking_systems = {'first': answers([0, 1, 2]), 'nothing': answers([-1, -1, -1])}
    """)
    monkeypatch.setattr(bench, 'here', tmp_path)
    r = small_ratings()
    task, truth = make_task(r[:500], r[500:], k=3)
    run = bench.Processes(sys.executable, limit=100)
    try: got = {o: run(o, 'peers', task, 1, {}) for o in ('first', 'nothing')}
    finally: run.close()
    assert [res.get('error') for _,res in got.values()] == [None, None]
    assert (got['first'][0] == [[1,2,3]]*40).all() and not got['nothing'][0].any()
    assert score_answers(task, truth, got['nothing'][0])['nDCG']==0

def test_ids_of_any_kind_and_any_scale():
    r = small_ratings(name='id-{}'.format)
    r.values = r.values*20-50  # from -30 to 50
    task, truth = make_task(r[:500], r[500:])
    assert task_arrays(task).test_users.min()>=0
    systems = rating_systems()
    df = compare({o: systems[o] for o in ('bias baseline', 'DotProduct')}, task, truth).set_index('system')
    assert 20<df.RMSE['bias baseline']<40 and df.RMSE['DotProduct']<70
    answer = systems['bias baseline'](task, 1, damping=0)()
    assert -30<=answer.min() and 5<answer.max()<=50, 'clipped to the scale of the training ratings'
    with pytest.raises(ValueError, match='beyond y_range'): systems['DotProductBias'](task, 1)

def test_lists_where_little_is_left():
    "One user has rated all but one item: the list has one item, and nothing in the other places"
    df = pd.DataFrame([(u, i) for u in 'abcd' for i in range(12) if u!='a' and i!='abcd'.index(u) or u=='a' and i<11], columns=['user', 'item'])
    r = Ratings(df.assign(rating=4.), rating='rating')
    task, _ = make_task(r, r[:0], k=4)
    for name in ('popularity', 'item-item cosine', 'EASE', 'BPR'):
        lists = ranking_systems()[name](task, 1)()
        assert lists.shape==(4,4) and lists.tolist()[0]==[12,0,0,0], (name, lists)

@pytest.mark.parametrize('bad,why', [(np.full((40,3), 31), 'from 1 to 30'), (np.full((40,3), -1), 'from 1 to 30'), (np.full((40,3), 1.), 'from 1 to 30'),
                                     (np.ones((41,3), int), r'\(40, 3\) is needed')])
def test_answers_that_are_no_lists(bad, why):
    r = small_ratings()
    task, truth = make_task(r[:500], r[500:], k=3)
    with pytest.raises(ValueError, match=why): score_answers(task, truth, bad)

def test_tasks_that_test_nothing_are_refused():
    r = small_ratings()
    with pytest.raises(ValueError, match='2 pairs are in both parts'): make_task(r[:500], r[498:])
    with pytest.raises(ValueError, match='differently'): make_task(r[:100], Ratings(r[100:].to_frame().iloc[:20], time='time'))
    few, rest = r.split((np.arange(20), np.arange(20, 600)))
    with pytest.raises(ValueError, match=f'{rest.unknown} test ratings'): make_task(few, rest)

# the clock and the meter

def test_the_meter_works_where_there_is_no_proc_and_no_resource(monkeypatch):
    "Windows has neither; importing the module failed there"
    here = speed.peak_mb()
    assert math.isnan(here) or 20<here<20_000
    def no_file(*args): raise FileNotFoundError
    monkeypatch.setattr(speed, 'open', no_file, raising=False)
    rest = speed.peak_mb()  # of `resource`, or psutil
    assert math.isnan(rest) or math.isnan(here) or .5*here<rest<3*here+1000
    monkeypatch.setitem(sys.modules, 'resource', None)
    info = lambda: SimpleNamespace(peak_wset=77*2**20)
    monkeypatch.setitem(sys.modules, 'psutil', SimpleNamespace(Process=lambda: SimpleNamespace(memory_info=info)))
    assert speed.peak_mb()==77
    monkeypatch.setitem(sys.modules, 'psutil', None)
    assert math.isnan(speed.peak_mb())

@pytest.mark.parametrize('what', ['from collab_lesson.all import *; from collab_lesson.speed import cost; cost',
                                  *(f"import runpy; runpy.run_path({str(p)!r})" for p in sorted((root/'benchmarks').glob('*.py')))],
                         ids=['collab_lesson', *(p.name for p in sorted((root/'benchmarks').glob('*.py')))])
def test_imports_without_what_only_posix_has(what):
    p = python(f"import sys; sys.modules.update(dict.fromkeys(['resource', 'fcntl', 'pwd', 'grp', 'termios'])); sys.path.insert(0, {str(root/'benchmarks')!r}); {what}")
    out, err = p.communicate(timeout=120)
    assert p.returncode==0, err

def test_the_clock_tells_waiting_from_working():
    import time
    res, wall, cpu = speed.timed(lambda: time.sleep(.1))
    assert res is None and wall>=.1 and cpu<.09
    with pytest.raises(ZeroDivisionError): speed.timed(lambda: 1/0)

def test_cost_says_what_its_process_said():
    with pytest.raises(RuntimeError, match='n_ratings=7 is more than the 2×3 pairs'): speed.cost('fit', 7, 2, 3)
    res = speed.cost('EASE', 2000, 50, 60)
    assert res['seconds']>0 and (math.isnan(res['mb']) or 0<=res['mb']<200)

# results that lie beside a notebook

def test_measured_reads_beside_the_notebook_and_asks_nobody(tmp_path, monkeypatch):
    def nobody(*args, **kw): raise AssertionError('asked the network')
    monkeypatch.setattr(movielens, 'urlopen', nobody)
    (tmp_path/'x.json').write_text('{"a": "ü"}', encoding='utf-8')
    assert movielens.measured('x.json', tmp_path)=={'a': 'ü'}
    assert movielens.measured('comparison.json', root/'nbs/results')['info']['budget']==12

def test_measured_of_a_notebook_opened_alone(tmp_path, monkeypatch):
    "Opened on Colab, the chapter ended with FileNotFoundError: results/comparison.json"
    sys.path.insert(0, str(root/'tools'))
    import book
    raw = 'https://raw.githubusercontent.com/{user}/{repo}/{branch}/{nbs_path}/results/x.json'.format(**book.cfg)
    asked = []
    def answer(url, timeout): asked.append(url); return io.BytesIO(b'[1]')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(movielens, 'urlopen', answer)
    assert movielens.measured('x.json')==[1] and asked==[raw]
    def silent(url, timeout): raise urllib.error.URLError('no route')
    monkeypatch.setattr(movielens, 'urlopen', silent)
    with pytest.raises(FileNotFoundError) as e: movielens.measured('x.json')
    assert str(tmp_path/'results/x.json') in str(e.value) and raw in str(e.value) and 'no route' in str(e.value)

# what ratings cost

def test_random_ratings_have_no_pair_twice():
    for n,n_users,n_items in [(6, 2, 3), (5, 5, 1), (1000, 40, 30), (1200, 40, 30), (100, 1000, 1000)]:
        df = speed.random_ratings(n, n_users, n_items)
        assert len(df)==n and not df.duplicated(['user', 'item']).any() and df.rating.between(1, 5).all()
        assert df.user.nunique()==min(n, n_users) and df.item.max()<n_items and df.user.max()<n_users

def test_ratings_cost(tmp_path):
    "The whole script, small; its file has what the table shows"
    cmd = [sys.executable, root/'benchmarks/ratings_cost.py', '--sizes', '20000', '--users', '300', '--items', '200', '--imports', '1', '--out', tmp_path]
    p = subprocess.run(list(map(str, cmd)), capture_output=True, text=True, timeout=200)
    assert p.returncode==0, p.stderr
    d = json.loads((tmp_path/'ratings_cost.json').read_text())
    row, = d['rows']
    assert (row['ratings'], row['users'], row['lists'])==(20000, 700, 700) and all(v>0 for v in row['seconds'].values())
    assert d['lists']['lists']==300 and d['imports']['seconds']>d['imports']['python_s']>0 and d['machine']['cores']>0
    assert '20,000' in p.stdout and 'all lists: 300 users × 200 items' in p.stdout
