"`collab_lesson recommend`, as a user meets it: the cache, its damage, what it prints, and how it complains; and properties of the metrics behind it."
import json, os, re, subprocess, sys
from pathlib import Path

import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st
from collab_lesson import __version__
from collab_lesson.movielens import RATINGS_SHA256, load_movies, load_ratings
from collab_lesson.ranking import EASE, gini, interactions, ranking_metrics, stratified_split
from common import movielens, python

command = Path(sys.executable).with_name('collab_lesson.exe' if os.name=='nt' else 'collab_lesson')

def recommend(*args, **env):
    "Run the command as a user would"
    return subprocess.run([command, 'recommend', *map(str, args)], env=os.environ | env, capture_output=True, text=True, timeout=300)

# Many calls in one process, which starts Python and PyTorch once
many = '''
import contextlib, io, json, sys, time, traceback
from collab_lesson.cli import main
res = []
for args in json.load(sys.stdin):
    sys.argv, out, err, code = ['collab_lesson', 'recommend', *args], io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try: main()
        except SystemExit as e: code = e.code or 0
        except BaseException: code = traceback.print_exc() or 1
    res.append((code, out.getvalue(), err.getvalue()))
json.dump(dict(answers=res, heavy=[o for o in ('fastai', 'pandas', 'matplotlib') if o in sys.modules], seconds=time.process_time()), sys.__stdout__)
'''

def calls(*args, **env):
    out, err = python(many, **env).communicate(json.dumps([[*map(str, o)] for o in args]), timeout=300)
    assert out, err
    return json.loads(out)

def one_line(answer):
    code, out, err = answer
    assert 'Traceback' not in err and code==2 and out=='', err
    assert len(err.splitlines())==1 and err.startswith('collab_lesson: ') and len(err)<400, err
    return err


# the first call, and those after it

@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    "A cache folder that the command itself has filled, and what it said"
    home = tmp_path_factory.mktemp('home')
    env = dict(COLLAB_LESSON_DATA=str(movielens()), XDG_CACHE_HOME=str(home))
    p = recommend('--user', 196, '-n', 10, **env)
    assert p.returncode==0, p.stderr
    (file,) = (home/'collab_lesson').iterdir()
    return env, file, p

# Whoever answers from the cache needs no data at all
def offline(env): return env | dict(COLLAB_LESSON_DATA=str(Path(env['XDG_CACHE_HOME'])/'nowhere'), FASTAI_HOME=str(Path(env['XDG_CACHE_HOME'])/'nowhere'))

def rows(out): return [re.fullmatch(r' *(\d+) +(\d\.\d)  (.*?)  +(-?\d+\.\d)  (.*)', o).groups() for o in out.splitlines() if re.match(r' *\d+ +\d\.\d  ', o)]

def test_the_first_call_trains_once(cache):
    env, file, p = cache
    assert len(p.stderr.splitlines())==1 and 'training a model' in p.stderr
    assert file.name==f'recommend-{__version__}-{RATINGS_SHA256[:12]}.model' # and no temporary file beside it
    assert b'\n' in file.read_bytes()[:65]

def test_a_later_call_is_quick(cache):
    env, file, p = cache
    q = recommend('--user', 196, '-n', 10, **offline(env))
    assert q.returncode==0 and q.stderr=='' and q.stdout==p.stdout
    r = calls(['--user', '196'], **offline(env))
    assert r['answers'][0][1]==p.stdout, 'ten are the default'
    assert r['heavy']==[] and r['seconds']<5, r

def test_what_it_prints_for_a_user(cache):
    env, _, p = cache
    ratings = load_ratings(env['COLLAB_LESSON_DATA'], titles=True)
    mine = ratings[ratings.user==196].set_index('title').rating
    assert p.stdout.startswith(f'For person 196, who has rated {len(mine)} films:')
    assert [o[0] for o in rows(p.stdout)]==[str(i) for i in range(1, 11)]
    scores = [float(o[3]) for o in rows(p.stdout)]
    assert scores==sorted(scores, reverse=True)
    for _, stars, title, score, reasons in rows(p.stdout):
        assert title not in mine.index and 1<float(stars)<=5.5
        for r in re.findall(r'(.*?) \+\d+\.\d(?:, |$)', reasons): assert mine[r]>=4, 'a reason is a film that the person liked'

@pytest.fixture(scope='module')
def answers(cache):
    everything = sorted(set(load_movies(cache[0]['COLLAB_LESSON_DATA']).title))
    asked = [*good.values(), *(likes(*everything) if o=='everything' else args for o,(args,_) in bad.items())]
    return dict(zip([*good, *bad], calls(*asked, **offline(cache[0]))['answers']))

def likes(*titles): return [o for t in titles for o in ('--like', t)]
good = {
    'two likes': [*likes('Star Wars (1977)', 'Fargo (1996)'), '-n', '10'], 'the other order': [*likes('Fargo (1996)', 'Star Wars (1977)'), '-n', '10'],
    'parts': [*likes('star  WARS', 'fargo'), '-n', '10'], 'twice': [*likes('fargo', 'Fargo (1996)'), '-n', '3'], 'once': [*likes('fargo'), '-n', '3'],
    'one': ['--user', '1', '-n', '1'], 'all': ['--user', '405', '-n', '100000'],
}
bad = {
    'nobody': ([], 'for whom'), 'only n': (['-n', '5'], 'for whom'), 'empty': (likes(''), '--like is empty'), 'blank': (likes('Fargo (1996)', '  '), '--like is empty'), 'no title': (['--like'], '--like'),
    'both': (['--user', '196', *likes('fargo')], 'exclude each other'),
    'unknown': (likes('Star Wras'), r"no film 'Star Wras'. Did you mean Star Wars \(1977\)"), 'like nothing': (likes('qqqqqqqqqq'), 'No title is like it'),
    'ambiguous': (likes('die hard'), r"'die hard' could be Die Hard.*Die Hard 2 \(1990\)"), 'very ambiguous': (likes('the'), r'and \d+ more'), 'the padding row': (likes('#na#'), 'no film'),
    'n=0': (['--user', '196', '-n', '0'], 'n=0'), 'n=-3': (['--user', '196', '-n', '-3'], 'n=-3'), 'n=x': (['--user', '196', '-n', 'x'], "-n.*'x'"), 'n=1.5': (['--user', '196', '-n', '1.5'], "-n.*'1.5'"),
    'user 0': (['--user', '0'], 'no person 0; the nearest are 1, 2, 3'), 'user 944': (['--user', '944'], 'no person 944; the nearest are 943'), 'user -1': (['--user', '-1'], 'no person -1'), 'user x': (['--user', 'x'], "--user.*'x'"),
    'everything': ([], 'somebody who likes 1664 films: .*nothing is left'), 'option': (['--user', '196', '--colour', 'red'], '--colour'), 'loose words': (['Star', 'Wars'], 'Star'),
}

@pytest.mark.parametrize('name', bad)
def test_bad_arguments(answers, name): assert re.search(bad[name][1], one_line(answers[name])), answers[name][2]

def test_what_it_prints_for_likes(answers):
    for o in good: assert answers[o][0]==0 and answers[o][2]=='', answers[o][2]
    out = answers['two likes'][1]
    assert out.startswith('For somebody who likes Star Wars (1977), Fargo (1996):') and len(rows(out))==10
    for _, _, title, score, reasons in rows(out):
        assert title not in ('Star Wars (1977)', 'Fargo (1996)')
        parts = {t: float(v) for t,v in re.findall(r'(Star Wars \(1977\)|Fargo \(1996\)) \+(\d+\.\d)', reasons)}
        assert parts and list(parts.values())==sorted(parts.values(), reverse=True), 'the one that contributed most comes first'
        if len(parts)==2: assert abs(sum(parts.values())-float(score))<.16, 'the reasons add up to the score, but for rounding'
    assert 'Return of the Jedi (1983)' in [o[2] for o in rows(out)][:3]

def test_order_and_spelling_do_not_matter(answers):
    want = rows(answers['two likes'][1])
    assert rows(answers['the other order'][1])==want and rows(answers['parts'][1])==want
    assert answers['twice'][1]==answers['once'][1], 'a film named twice counts once'

def test_how_many(answers, cache):
    assert len(rows(answers['one'][1]))==1
    ratings = load_ratings(cache[0]['COLLAB_LESSON_DATA'], titles=True)
    assert len(rows(answers['all'][1]))==ratings.title.nunique() - ratings[ratings.user==405].title.nunique()


# a damaged cache

def test_damage_is_noticed(cache, tmp_path):
    "Whatever the damage, reading raises; nothing of the file is loaded before its checksum is right"
    from collab_lesson.cli import _unpack
    b = cache[1].read_bytes()
    _unpack(b)
    flipped = lambda i: b[:i] + bytes([b[i]^1]) + b[i+1:]
    for bad in [b'', b'\n', b[:64], b[:65], b[:1000], b[:-1], b+b'x', b'not a model', flipped(0), flipped(70), flipped(len(b)//2), flipped(len(b)-1), b[:65]+b[65:][::-1]]:
        with pytest.raises(ValueError, match='checksum'): _unpack(bad)

def test_no_pickle_is_run(tmp_path):
    "A file with a right checksum and a hostile pickle"
    import hashlib, io
    from collab_lesson.cli import _unpack
    class Hostile:
        def __reduce__(self): return os.mkdir, (str(tmp_path/'harm'),)
    buf = io.BytesIO()
    torch.save(dict(names=Hostile()), buf)
    with pytest.raises(Exception): _unpack(hashlib.sha256(buf.getvalue()).hexdigest().encode() + b'\n' + buf.getvalue())
    assert not (tmp_path/'harm').exists()

# Training is replaced by a small stand-in, so that each case costs milliseconds
@pytest.fixture
def quick(monkeypatch, tmp_path):
    from collab_lesson import cli
    trained = []
    def fit():
        trained.append(1)
        rng = torch.Generator().manual_seed(0)
        t = {f'{o}.weight': torch.randn(n, k, generator=rng) for o,n,k in [('user_factors',3,2), ('movie_factors',5,2), ('user_bias',3,1), ('movie_bias',5,1)]}
        names = dict(version=__version__, data='0'*64, users=[0,7,9], titles=['', *'ABCD'])
        return names, t | dict(stars=torch.tensor([[0]*5, [0,5,0,0,0], [0,4,5,3,1]], dtype=torch.uint8), B=torch.rand(5, 5, generator=rng).fill_diagonal_(0))
    monkeypatch.setattr(cli, '_fit_recommender', fit)
    monkeypatch.setattr(cli, '_cache_folder', lambda: tmp_path/'cache')
    return cli, trained, tmp_path/'cache'

@pytest.mark.parametrize('damage', ['truncated', 'empty', 'flipped', 'folder'])
def test_a_damaged_file_is_rebuilt(quick, capsys, damage):
    cli, trained, folder = quick
    cli.recommend(user=7)
    (file,) = folder.iterdir()
    first, good = capsys.readouterr().out, file.read_bytes()
    if damage=='folder': file.unlink(); file.mkdir()
    else: file.write_bytes(dict(truncated=good[:-10], empty=b'', flipped=good[:200]+b'?'+good[201:])[damage])
    cli.recommend(user=7)
    out, err = capsys.readouterr()
    assert out==first and len(trained)==2
    assert f'{file} is damaged' in err.splitlines()[0]
    if damage=='folder': assert len(err.splitlines())==2 and 'could not be kept' in err # it is not ours to delete
    else:
        assert len(err.splitlines())==1 and file.read_bytes()[:64]==good[:64]
        cli.recommend(user=7)
        assert capsys.readouterr()==(first, '') and len(trained)==2
    assert [*folder.iterdir()]==[file], 'a temporary file was left behind'

@pytest.mark.skipif(os.name=='nt' or os.geteuid()==0, reason='the superuser may write anywhere')
def test_a_cache_that_cannot_be_written(quick, capsys):
    cli, trained, folder = quick
    folder.mkdir(mode=0o500)
    cli.recommend(user=7)
    out, err = capsys.readouterr()
    assert 'For person 7' in out and 'could not be kept' in err

def test_a_cache_below_a_file(quick, capsys):
    "The folder cannot even be made"
    cli, trained, folder = quick
    folder.write_text('not a folder')
    cli.recommend(user=7)
    out, err = capsys.readouterr()
    assert 'For person 7' in out and 'could not be kept' in err.splitlines()[-1] and len(err.splitlines())==2

def test_nothing_is_left_behind_by_ctrl_c(quick, monkeypatch):
    cli, trained, folder = quick
    def stop(*args): raise KeyboardInterrupt
    monkeypatch.setattr(cli.os, 'replace', stop)
    with pytest.raises(KeyboardInterrupt): cli.recommend(user=7)
    assert [*folder.iterdir()]==[]

def test_a_user_with_nothing_left(quick):
    cli, *_ = quick
    with pytest.raises(ValueError, match='person 9, who has rated 4 films: .*nothing is left'): cli.recommend(user=9)

def test_without_data(monkeypatch, tmp_path, capsys):
    "No cache and no ratings to be had: exit code 1, as for the other commands, and no file"
    from collab_lesson import cli, data
    def refuse(*args, **kwargs): raise FileNotFoundError('MovieLens 100K is not to be had')
    monkeypatch.setattr(data, 'load_ratings', refuse)
    monkeypatch.setattr(cli, '_cache_folder', lambda: tmp_path/'cache')
    monkeypatch.setattr(sys, 'argv', ['collab_lesson', 'recommend', '--user', '196'])
    with pytest.raises(SystemExit) as e: cli.main()
    assert e.value.code=='collab_lesson: MovieLens 100K is not to be had' and not (tmp_path/'cache').exists()


# the metrics and EASE

matrices = st.integers(0, 2**32-1).map(np.random.default_rng)

@given(matrices, st.integers(1, 6))
@settings(max_examples=50)
def test_metrics_stay_in_range_and_a_perfect_list_is_perfect(rng, k):
    scores, wants = torch.tensor(rng.random((4, 7))), torch.tensor(rng.random((4, 7))<.4)
    wants[0,0] = True
    m = ranking_metrics(scores, wants, k)
    assert ((m>=0) & (m<=1+1e-12)).all()
    best = ranking_metrics(wants + scores/2, wants, k)
    assert abs(best['nDCG']-1)<1e-9 and (best[['precision','recall','MAP','nDCG']]+1e-12 >= m[['precision','recall','MAP','nDCG']]).all()
    assert ranking_metrics(torch.exp(3*scores), wants, k).equals(m), 'only the order counts'

@given(matrices)
@settings(max_examples=50)
def test_gini(rng):
    x = rng.random(9)
    slow = np.abs(x[:,None]-x).mean()/(2*x.mean()) # the definition: mean difference of all pairs, over twice the mean
    assert abs(gini(x)-slow)<1e-9 and abs(gini(x*7)-slow)<1e-9

@given(matrices, st.floats(1, 50), st.floats(0, .9))
@settings(max_examples=25)
def test_ease_is_the_optimum(rng, reg, dropout):
    "No change of an off-diagonal weight lowers the objective: its gradient is zero there"
    X = torch.tensor(rng.random((12, 6))<.4).double()
    B, G = EASE(X, reg, dropout).B, X.T @ X
    gradient = (G + torch.diag(reg + dropout/(1-dropout)*G.diagonal()))@B - G
    assert gradient.fill_diagonal_(0).abs().max()<1e-8 and (B.diagonal()==0).all()

@given(matrices, st.floats(.1, .9))
@settings(max_examples=25)
def test_stratified_split(rng, ratio):
    import pandas as pd
    df = pd.DataFrame(dict(user=rng.integers(0, 5, 60)), index=rng.permutation(60))
    train, test = stratified_split(df, ratio)
    assert sorted([*train, *test])==list(range(60))
    counts = df.user.value_counts()
    assert (df.user.iloc[train].value_counts().reindex(counts.index, fill_value=0)-(ratio*counts).round()).abs().max()==0

def test_interactions():
    X = interactions([0,1,1], [2,0,1], 2, 3, [5,4,3])
    assert X.tolist()==[[0,0,5], [4,3,0]]
