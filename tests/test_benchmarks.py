"The benchmarks: what they must do before a peer is even there, on any system, and on anybody's ratings."
import io, json, math, shutil, subprocess, sys, urllib.error
from types import SimpleNamespace

import numpy as np, pandas as pd, pytest
from common import python, root
from collab_lesson import movielens, speed
from collab_lesson.comparison import Answered, book_systems, make_task, task_arrays
from collab_lesson.ranking import evaluate
from collab_lesson.ratings import Ratings, synthetic_ratings

sys.path.insert(0, str(root/'benchmarks'))
import compare as bench, peers

def small_ratings(n=600, n_users=40, n_items=30, name=str):
    df = speed.random_ratings(n, n_users, n_items)
    return Ratings(df.assign(user=df.user.map(name), item=df.item.map(name), time=np.arange(n)), time='time')

def test_every_entry_has_a_system_and_something_to_choose():
    names = {*book_systems(), *peers.systems, *bench.as_in_book}
    assert set(bench.entries)<=names, set(bench.entries)-names
    assert set(peers.systems)<=set(bench.entries), 'a peer that nobody asks'
    for name,e in bench.entries.items():
        assert all(hasattr(v, 'rvs') or len(v)>1 for v in e.space.values()), f'{name}: nothing to choose from'
        assert all(set(o)<=set(e.space) for o in e.start if e.space), f'{name} starts with a setting that it may not choose'

def test_a_peer_that_does_not_install_is_reported(tmp_path, monkeypatch):
    (tmp_path/'requirements.txt').write_text('# what is not there\n./nowhere-1.0-py3-none-any.whl\n')
    monkeypatch.setattr(bench, 'here', tmp_path)
    monkeypatch.chdir(tmp_path)
    python, installed = bench.install(tmp_path/'venv')
    assert python.exists() and installed['./nowhere-1.0-py3-none-any.whl'].startswith('ERROR')
    assert bench.install(tmp_path/'venv')[1]==installed, 'remembered'

class Fake:
    "Entries, versions and a peers.py of their own"
    def __init__(self, monkeypatch, tmp_path, text, **entries):
        shutil.copy(root/'benchmarks/worker.py', tmp_path)
        (tmp_path/'peers.py').write_text(text)
        monkeypatch.setattr(bench, 'here', tmp_path)
        monkeypatch.setattr(bench, 'entries', entries)
        monkeypatch.setattr(bench, 'version_of', lambda name: 'v')

def test_a_job_is_done_once_and_a_failure_is_a_line(tmp_path, monkeypatch):
    r = small_ratings()
    task, test = make_task(r[:500], r[500:])
    (tmp_path/'code').mkdir()
    Fake(monkeypatch, tmp_path/'code', '', **{'damped biases': bench.Entry('book', 'stars'), 'not there': bench.Entry('book', 'stars')})
    b = bench.Bench(tmp_path/'run', sys.executable, limit=100)
    try:
        answer, job = b.run('damped biases', task, 1, dict(reg_user=4))
        with pytest.raises(RuntimeError, match="KeyError: 'not there'"): b.run('not there', task, 1, {})
    finally: b.close()
    assert len(answer)==100 and job['fit_s']>0 and job['peak_mb']>1
    second = bench.Bench(tmp_path/'run', sys.executable)  # a second start
    def nobody(*args): raise AssertionError('was done already')
    second.ask = nobody
    again, _ = second.run('damped biases', task, 1, dict(reg_user=4))
    assert (again==answer).all()
    with pytest.raises(RuntimeError, match='not there'): second.run('not there', task, 1, {})
    for other in [(task, 2, dict(reg_user=4)), (task, 1, dict(reg_user=5)), (make_task(r[:499], r[500:])[0], 1, dict(reg_user=4))]:
        with pytest.raises(AssertionError, match='done already'): second.run('damped biases', *other)

def test_peers_lists_are_rows_of_the_books_tables(tmp_path, monkeypatch):
    "Peers number items from 0, the book from 1; their process has the clock and the meter, and nothing else of the book's"
    (tmp_path/'code').mkdir()
    Fake(monkeypatch, tmp_path/'code', """if True:
        import sys, numpy as np
        assert not {'torch', 'pandas', 'fastai'} & set(sys.modules), 'a peer would be charged for these'
        def answers(o): return lambda t, seed: lambda: np.tile(o, (t.n_users, 1))
        systems = {'first': answers([0, 1, 2]), 'nothing': answers([-1, -1, -1])}
    """, first=bench.Entry('x', 'lists'), nothing=bench.Entry('x', 'lists'))
    r = small_ratings()
    task, test = make_task(r[:500], r[500:], k=3)
    b = bench.Bench(tmp_path/'run', sys.executable, limit=100)
    try: got = {o: b.run(o, task, 1, {})[0] for o in ('first', 'nothing')}
    finally: b.close()
    assert (got['first'] == [[1,2,3]]*40).all() and not got['nothing'].any()
    assert evaluate(Answered(task, got['nothing']), test, 3)['nDCG']==0

def tiny_folder(tmp_path):
    "Somebody's ratings, and an environment in which nothing could be installed"
    (tmp_path/'venv').mkdir()
    (tmp_path/'venv/installed.json').write_text(json.dumps({'libmf==0.9.2': 'ERROR: no such thing'}))
    df = synthetic_ratings(60, 50, 1500)
    (tmp_path/'filmtrust.txt').write_text(''.join(f'{u} {i} {r}\n' for u,i,r in df[['user', 'movie', 'rating']].itertuples(index=False)))
    return tmp_path

def test_the_whole_benchmark_small(tmp_path):
    "Stars and lists of somebody's ratings; LIBMF, which is not there, is a line of the results; a second start does nothing anew"
    d = tiny_folder(tmp_path)
    args = dict(out=str(d/'out'), venv=str(d/'venv'), n=2, seconds=5., seeds=2, minutes=5., tasks='FilmTrust, stars|FilmTrust, lists', other=str(d), more=0,
                only='damped biases|ALS|LIBMF|Popularity|EASE')
    bench.main(**args)
    res = json.loads((d/'out/comparison.json').read_text())
    jobs = (d/'out/jobs.jsonl').read_text()
    assert [o['metric'] for o in res['tasks']]==['RMSE', 'nDCG'] and res['info']['settings']==2
    assert {o['system'] for o in res['points']}=={'damped biases', 'ALS', 'Popularity', 'EASE'}
    assert [o['system'] for o in res['failed']]==['LIBMF'] and res['failed'][0]['error']
    for p in res['points']:
        assert p['low']<=p['value']+.02 and p['value']<=p['high']+.02 and p['seconds']>0 and p['budgets'] and 1<=p['seeds']<=3
        mine = [o for o in res['trials'] if o['task']==p['task'] and o['system']==p['system']]
        assert p['inner_score'] in [o['score'] for o in mine] and len(mine)<=2
    assert {o['ours'] for o in res['verdicts']}<={'damped biases', 'ALS', 'Popularity', 'EASE'} and all(o['theirs'] is None for o in res['verdicts'])
    assert all(o['verdict']=='equal' for o in res['against'] if o['system']==o['best'])
    key = lambda points: sorted(json.dumps(o, sort_keys=True) for o in points)
    bench.main(**args|dict(only_report=True, tasks='FilmTrust, stars')) # the other task is kept
    again = json.loads((d/'out/comparison.json').read_text())
    assert (d/'out/jobs.jsonl').read_text()==jobs and again['trials']!=[] and key(again['points'])==key(res['points'])

def test_the_clock_is_a_limit(tmp_path):
    "What there is no time for is said"
    d = tiny_folder(tmp_path)
    bench.main(out=str(d/'out'), venv=str(d/'venv'), minutes=0., tasks='FilmTrust, stars', other=str(d), more=0)
    res = json.loads((d/'out/comparison.json').read_text())
    assert res['failed']==[dict(task='FilmTrust, stars', system=None, error='no time left')] and not res['points']

def test_inner_parts_come_from_the_training_part():
    r = small_ratings()
    for split,k in [(bench.random_rows, None), (bench.stratified_rows, 3), (bench.known_rows('user'), 3), (bench.known_rows('last'), 3), (bench.known_rows('time'), None)]:
        (task, test), (inner, held) = bench.parts(r, split, k)
        pairs = lambda o: set(zip(o.users.tolist(), o.items.tolist()))
        assert pairs(inner.train)|pairs(held)<=pairs(task.train) and not pairs(held)&pairs(test)
    (task, test), (inner, held) = bench.parts(r, bench.known_rows('time'))
    assert set(test.users)<=set(task.train.users) and set(test.items)<=set(task.train.items)
    assert test.times.min()>=task.train.times.max() and held.times.min()>=inner.train.times.max()

def test_ids_of_any_kind_and_any_scale():
    r = small_ratings(name='id-{}'.format)
    r.values = r.values*20-50  # from -30 to 50
    task, test = make_task(r[:500], r[500:])
    assert task_arrays(task)['test_users'].min()>=0 and task_arrays(task)['scale'].tolist()==[-30, 50]
    systems = book_systems()
    for name,settings in [('damped biases', {}), ('ALS', {}), ('DotProductBias, batches', dict(n_factors=4)), ('StarKNN', {})]:
        answer = systems[name](task, 1, **settings)()
        assert -30<=answer.min() and answer.max()<=50 and ((answer-test.values)**2).mean()**.5<45, name

def test_lists_where_little_is_left():
    "One user has rated all but one item: the list has one item, and nothing in the other places"
    df = pd.DataFrame([(u, i) for u in 'abcd' for i in range(12) if u!='a' and i!='abcd'.index(u) or u=='a' and i<11], columns=['user', 'item'])
    r = Ratings(df.assign(rating=4.), rating='rating')
    task, _ = make_task(r, r[:0], k=4)
    for name,settings in [('Popularity', {}), ('ListKNN', {}), ('SLIM', {}), ('EASE', {}), ('ALS, implicit', dict(n_factors=2)), ('BPR', dict(n_factors=2))]:
        lists = book_systems()[name](task, 1, **settings)()
        assert lists.shape==(4,4) and lists.tolist()[0]==[12,0,0,0], (name, lists)

@pytest.mark.parametrize('bad,why', [(np.full((40,3), 31), 'from 1 to 30'), (np.full((40,3), -1), 'from 1 to 30'), (np.full((40,3), 1.), 'from 1 to 30'),
                                     (np.ones((41,3), int), r'\(40, 3\) is needed')])
def test_answers_that_are_no_lists(bad, why):
    r = small_ratings()
    task, test = make_task(r[:500], r[500:], k=3)
    with pytest.raises(ValueError, match=why): Answered(task, bad)

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
    assert movielens.measured('comparison.json', root/'nbs/results')['info']['seeds']==5

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

# the sealed splits

def test_the_sealed_splits_open_once(tmp_path, capsys):
    import sealed
    file, frozen = tmp_path/'settings.json', dict(seeds=[1])
    file.write_text(json.dumps(frozen))
    git = lambda *args: subprocess.run(['git', '-c', 'user.name=x', '-c', 'user.email=x@x', *args], cwd=tmp_path, check=True, capture_output=True)
    assert not sealed.opens(file, frozen, []) and 'not committed' in capsys.readouterr().out
    git('init', '-q'); git('add', '.'); git('commit', '-qm', 'x')
    assert sealed.opens(file, frozen, [])
    assert not sealed.opens(file, frozen, [dict(date='then', settings_sha256=sealed.settings_hash(frozen))])
    assert 'opened with these settings, then' in capsys.readouterr().out
