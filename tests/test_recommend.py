"`collab_lesson recommend`, as a user meets it: the cache, its damage, what it prints, and how it complains; and properties of the metrics behind it."
import json, os, re, subprocess, sys, time
from pathlib import Path

import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st
from collab_lesson import __version__
from collab_lesson.cli import _models as cli_models
from collab_lesson.collab_learner import load
from collab_lesson.movielens import load_movies, load_ratings
from collab_lesson.ranking import EASE, gini, item_weights, ranking_metrics, stratified_split
from collab_lesson.ranking import recommend as library_recommend
from collab_lesson.ratings import synthetic_ratings
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
json.dump(dict(answers=res, heavy=[o for o in ('torch', 'fastai', 'pandas', 'matplotlib', 'pyarrow') if o in sys.modules], seconds=time.process_time()), sys.__stdout__)
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

def folders(home): return sorted(o.name for o in (home/'collab_lesson').iterdir()) if (home/'collab_lesson').exists() else []

@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    "A cache folder that the command itself has filled, and what it said"
    home = tmp_path_factory.mktemp('home')
    env = dict(COLLAB_LESSON_DATA=str(movielens()), XDG_CACHE_HOME=str(home))
    p = recommend('--user', 196, '-n', 10, **env)
    assert p.returncode==0, p.stderr
    return env, home, p

# Whoever answers from the cache needs no data at all
def offline(env): return env | dict(COLLAB_LESSON_DATA=str(Path(env['XDG_CACHE_HOME'])/'nowhere'), FASTAI_HOME=str(Path(env['XDG_CACHE_HOME'])/'nowhere'))

def rows(out): return [re.fullmatch(r' *(\d+) +(\d\.\d)  (.*?)  +(-?\d+\.\d)  (.*)', o).groups() for o in out.splitlines() if re.match(r' *\d+ +\d\.\d  ', o)]

def test_the_first_call_trains_each_model_once(cache):
    env, home, p = cache
    assert [re.search('training (\\w+) on 99,', o)[1] for o in p.stderr.splitlines()]==['DotProductBias', 'EASE']
    assert folders(home)==[f'recommend-{__version__}-{o}-ml-100k.model' for o in ('DotProductBias', 'EASE')] # and no temporary folder beside them

def test_a_later_call_is_quick(cache):
    "Less than two seconds in a fresh process: neither PyTorch nor fastai is imported"
    env, home, p = cache
    q = recommend('--for', 196, '-n', 10, **offline(env))
    assert q.returncode==0 and q.stderr=='' and q.stdout==p.stdout
    r = calls(['--user', '196'], **offline(env))
    assert r['answers'][0][1]==p.stdout, 'ten are the default'
    assert r['heavy']==[] and r['seconds']<2, r

def test_what_it_prints_for_a_user(cache):
    env, _, p = cache
    ratings = load_ratings(env['COLLAB_LESSON_DATA'], titles=True)
    mine = ratings[ratings.user==196].set_index('title').rating
    assert p.stdout.startswith(f'For user 196, who has rated {len(mine)} items:')
    assert [o[0] for o in rows(p.stdout)]==[str(i) for i in range(1, 11)]
    scores = [float(o[3]) for o in rows(p.stdout)]
    assert scores==sorted(scores, reverse=True)
    for _, stars, title, score, reasons in rows(p.stdout):
        assert title not in mine.index and 1<float(stars)<=5.5
        for r in re.findall(r'(.*?) \+\d+\.\d(?:, |$)', reasons): assert mine[r]>=4, 'a reason is an item that the user liked'

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
    'unknown': (likes('Star Wras'), r"no item 'Star Wras'. Did you mean Star Wars \(1977\)"), 'like nothing': (likes('qqqqqqqqqq'), 'No title is like it'),
    'ambiguous': (likes('die hard'), r"'die hard' could be Die Hard.*Die Hard 2 \(1990\)"), 'very ambiguous': (likes('the'), r'and \d+ more'), 'the padding row': (likes('#na#'), 'no item'),
    'n=0': (['--user', '196', '-n', '0'], 'n=0'), 'n=-3': (['--user', '196', '-n', '-3'], 'n=-3'), 'n=x': (['--user', '196', '-n', 'x'], "-n.*'x'"), 'n=1.5': (['--user', '196', '-n', '1.5'], "-n.*'1.5'"),
    'user 0': (['--user', '0'], 'no user 0; the closest are 1, 2, 3'), 'user 944': (['--user', '944'], 'no user 944; the closest are 943'), 'user -1': (['--user', '-1'], 'no user -1'), 'user x': (['--user', 'x'], "no user x, nor"),
    'everything': ([], 'somebody who likes 1664 items: .*nothing is left'), 'option': (['--user', '196', '--colour', 'red'], '--colour'), 'loose words': (['Star', 'Wars'], 'Star'),
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
    assert answers['twice'][1]==answers['once'][1], 'an item named twice counts once'

def test_how_many(answers, cache):
    assert len(rows(answers['one'][1]))==1
    ratings = load_ratings(cache[0]['COLLAB_LESSON_DATA'], titles=True)
    assert len(rows(answers['all'][1]))==ratings.title.nunique() - ratings[ratings.user==405].title.nunique()


# a file of one's own: small, so that each training costs milliseconds

@pytest.fixture
def shop(monkeypatch, tmp_path, capsys):
    "A function that calls `recommend` on a small file with text as ids, and returns what it prints and says; its cache, and the file"
    from collab_lesson import cli
    monkeypatch.setattr(cli, '_cache_folder', lambda: tmp_path/'cache')
    df = synthetic_ratings(30, 20, 300)
    df['user'], df['movie'] = df.user.map('u{}'.format), df.movie.map('A-{}'.format)
    file = tmp_path/'shop.csv'
    df.rename(columns=dict(user='uid', movie='sku', rating='stars'))[['uid', 'sku', 'stars', 'timestamp']].to_csv(file, index=False)
    def call(for_='u7', model='DotProductBias', ratings=file, **kw):
        cli.recommend(ratings=str(ratings), **dict(user='uid', item='sku', rating='stars', for_=for_, model=model) | kw)
        return capsys.readouterr()
    return call, tmp_path/'cache', file

def items(out): return re.findall(r'  (A-\d+)\b', '\n'.join(o.split('  +')[0] for o in out.splitlines()))

@pytest.mark.parametrize('model', list(cli_models))
def test_the_command_and_the_library_give_the_same_list(shop, model):
    "Whatever ranks; from memory, and from the cache, where NumPy alone scores"
    from collab_lesson import cli
    call, folder, file = shop
    first, again = call(model=model), call(model=model)
    assert first.out==again.out and again.err==''
    trained, r, about = cli._fit_recommender(model, cli._source(str(file), user='uid', item='sku', rating='stars'))
    want = library_recommend(trained, r, 'u7', 10)
    (kept,) = folder.glob(f'*-{model}-*')
    loaded, data = load(kept)
    assert library_recommend(loaded, data, 'u7', 10)['item'].tolist()==want['item'].tolist(), 'the folder is what `save` writes'
    assert cli._restore(kept).about['quick']==(model!='BayesianMF'), 'NumPy alone'
    score = cli._scores(cli._restore(kept), [r.user_names.find(['u7'])[0]], [1.])
    got = [o.split()[2] for o in first.out.splitlines() if re.match(r' *\d+ ', o)]
    assert np.allclose(sorted(score[r.item_names.find(got)], reverse=True), want['score'], atol=1e-3), (got, want)
    assert set(got).isdisjoint(r.item_names[i] for i in r.seen(r.user_names.find(['u7'])[0]))

def test_the_cache_is_keyed_by_contents_columns_and_model(shop):
    call, folder, file = shop
    first, text = call().out, file.read_text()
    os.utime(file, (1, 1))
    assert call()==(first, ''), 'it was only touched'
    copy = file.with_name('other name.csv')
    copy.write_text(text)
    assert call(ratings=copy)==(first, ''), 'the same contents'
    assert 'training' in call(rating='timestamp').err, 'another column'
    file.write_text(text + 'u7,A-1,1,0\n')
    assert 'training' in call().err, 'other contents under the same name'
    file.write_text(text)
    assert call()==(first, '')
    assert len([*folder.iterdir()])==3

def test_likes_by_id_and_every_row_counts_one(shop):
    call, *_ = shop
    assert 'For somebody who likes A-3:' in call(for_=None, like='A-3', model='EASE').out
    assert 'For user u7' in call(rating='none', model='ItemCosine').out

def test_where_ease_would_be_too_large(shop, monkeypatch):
    "The default falls back to the predicted ratings and says so; who asks for EASE gets one line"
    from functools import partial
    from collab_lesson import ranking
    call, *_ = shop
    monkeypatch.setattr(ranking, 'EASE', partial(ranking.EASE, max_rows=10))
    out, err = call(model=None)
    assert 'EASE would need a matrix of 20 by 20 items' in err and 'because' not in out and len(items(out))>5
    with pytest.raises(ValueError, match='max_rows=10 forbids'): call(model='EASE')

def test_repeats_and_bad_lines_are_told_once(shop):
    call, _, file = shop
    file.write_text(file.read_text() + 'u7,A-1,1,0\nu7,A-1,2,0\nu7,A-2,what,0\n')
    err = call(model=None).err.splitlines()
    assert len([o for o in err if 'repeat a pair' in o])==1 and len([o for o in err if 'left out' in o])==1 and len(err)==4, err


# the cache, and its damage

@pytest.mark.parametrize('name', ['command.json', 'settings.json', 'model.safetensors', 'ratings.safetensors'])
@pytest.mark.parametrize('damage', ['truncated', 'empty', 'flipped', 'missing', 'folder', 'swapped'])
def test_a_damaged_file_is_noticed_and_made_again(shop, name, damage):
    call, folder, file = shop
    first = call().out
    (kept,) = folder.iterdir()
    f = kept/name
    good = f.read_bytes()
    if damage=='missing' or damage=='folder': f.unlink()
    if damage=='folder': f.mkdir()
    elif damage!='missing': f.write_bytes(dict(truncated=good[:-10], empty=b'', flipped=good[:-9]+bytes([good[-9]^1])+good[-8:], swapped=good[::-1])[damage])
    out, err = call()
    assert out==first
    if (name, damage)!=('command.json', 'missing'): assert f'{kept} is damaged' in err.splitlines()[0]
    assert 'training' in err.splitlines()[-1] and call()==(first, '')
    assert [*folder.iterdir()]==[kept], 'a temporary folder was left behind'

def test_no_pickle_is_run(shop, tmp_path):
    "A file with a right checksum and a hostile pickle"
    import hashlib, pickle
    call, folder, _ = shop
    first = call().out
    class Hostile:
        def __reduce__(self): return os.mkdir, (str(tmp_path/'harm'),)
    (kept,) = folder.iterdir()
    (kept/'model.safetensors').write_bytes(pickle.dumps(Hostile()))
    settings = json.loads((kept/'settings.json').read_text())
    settings['sha256']['model'] = hashlib.sha256((kept/'model.safetensors').read_bytes()).hexdigest()
    (kept/'settings.json').write_text(json.dumps(settings))
    about = json.loads(json.loads((kept/'command.json').read_text())['about'])
    text = json.dumps(about | dict(settings=hashlib.sha256((kept/'settings.json').read_bytes()).hexdigest()))
    (kept/'command.json').write_text(json.dumps(dict(sha256=hashlib.sha256(text.encode()).hexdigest(), about=text)))
    assert call().out==first and not (tmp_path/'harm').exists()

def test_a_model_that_may_not_be_read_is_not_damaged(shop, monkeypatch):
    "Another person's, mode 600, in a shared cache"
    call, folder, _ = shop
    first, read = call().out, Path.read_bytes
    def refuse(self):
        if 'cache' in self.parts: raise PermissionError(13, 'Permission denied', str(self))
        return read(self)
    before = {o: o.stat().st_mtime_ns for o in folder.rglob('*')}
    monkeypatch.setattr(Path, 'read_bytes', refuse)
    out, err = call()
    assert out==first and 'damaged' not in err and 'may not be read' in err.splitlines()[0] and 'it is not kept' in err.splitlines()[1]
    assert {o: o.stat().st_mtime_ns for o in folder.rglob('*')}==before, "another person's file was touched"

def test_no_home(shop, monkeypatch):
    "No HOME and no entry in the password file: one line, and an answer"
    from collab_lesson import cli
    call, folder, _ = shop
    def nobody(): raise RuntimeError('Could not determine home directory.')
    first = call().out
    monkeypatch.setattr(cli, '_cache_folder', nobody)
    out, err = call()
    assert out==first and len(err.splitlines())==1 and 'there is no home folder' in err

@pytest.mark.skipif(os.name=='nt' or os.geteuid()==0, reason='the superuser may write anywhere')
def test_a_cache_that_cannot_be_written(shop):
    call, folder, _ = shop
    folder.mkdir(mode=0o500)
    out, err = call()
    assert 'For user u7' in out and 'could not be kept' in err

@pytest.mark.parametrize('where', ['the folder', 'the model'])
def test_a_file_stands_where_a_folder_should_go(shop, where):
    call, folder, _ = shop
    if where=='the folder': folder.write_text('not a folder')
    else:
        call()
        (kept,) = folder.iterdir()
        for o in kept.iterdir(): o.unlink()
        kept.rmdir()
        kept.write_text('not a folder')
    out, err = call()
    assert 'For user u7' in out and 'could not be kept' in err.splitlines()[-1] and len(err.splitlines())==2

def test_a_full_disk_costs_the_cache_not_the_answer(shop, monkeypatch):
    from collab_lesson import cli
    call, folder, _ = shop
    def full(*args): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(cli, '_store', full)
    out, err = call()
    assert 'For user u7' in out and 'could not be kept' in err and [*folder.iterdir()]==[]

def test_nothing_is_left_behind_by_ctrl_c(shop, monkeypatch):
    from collab_lesson import cli
    call, folder, _ = shop
    def stop(*args): raise KeyboardInterrupt
    monkeypatch.setattr(cli.os, 'replace', stop)
    with pytest.raises(KeyboardInterrupt): call()
    assert [*folder.iterdir()]==[]

def test_what_a_killed_process_left_is_swept(shop):
    call, folder, _ = shop
    for name,age in [('.recommend-old', 7200), ('.recommend-new', 0)]:
        (folder/name/'new').mkdir(parents=True)
        os.utime(folder/name, (time.time()-age,)*2)
    call()
    assert not (folder/'.recommend-old').exists() and (folder/'.recommend-new').exists()

def test_a_user_with_nothing_left(shop):
    call, _, file = shop
    file.write_text('uid,sku,stars\n' + ''.join(f'u{u},A-{i},{(u+i)%5+1}\n' for u in range(9) for i in range(1, 9) if u!=3 or i<5))
    assert len(items(call('u3').out))==4
    with pytest.raises(ValueError, match='user u4, who has rated 8 items: .*nothing is left'): call('u4')

def test_without_data(monkeypatch, tmp_path, capsys):
    "No cache and no ratings to be had: exit code 1, as for the other commands, and no file"
    from collab_lesson import cli, movielens
    def refuse(*args, **kwargs): raise FileNotFoundError('MovieLens 100K is not to be had')
    monkeypatch.setattr(movielens, 'load_ratings', refuse)
    monkeypatch.setattr(cli, '_cache_folder', lambda: tmp_path/'cache')
    monkeypatch.setattr(sys, 'argv', ['collab_lesson', 'recommend', '--user', '196'])
    with pytest.raises(SystemExit) as e: cli.main()
    assert e.value.code==1 and capsys.readouterr().err=='collab_lesson: MovieLens 100K is not to be had\n' and not (tmp_path/'cache').exists()


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
    G = X.T @ X
    B = item_weights(G.clone(), reg, dropout)
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

def test_ease_of_ratings_is_that_of_the_matrix():
    import pandas as pd
    from collab_lesson.ratings import Ratings
    r = Ratings(pd.DataFrame(dict(user=[1,1,2,3,3,3], item=[7,8,7,8,9,7], rating=[5,4,3,1,2,5])))
    model = EASE(2., .3, weights='ones')
    model.fit(r)
    X = torch.from_numpy((r.csr()>0).toarray()).float()
    assert torch.allclose(model.B, item_weights(X.T@X, 2., .3)) and torch.allclose(model.block(torch.arange(4)), X@model.B)
