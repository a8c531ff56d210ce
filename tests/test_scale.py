"Ratings in folders, solvers that read them a piece at a time, and training on several processes."
import errno, json, os, pickle, signal, subprocess, sys, time
from pathlib import Path

import common  # sets the number of threads
import numpy as np, pandas as pd, pytest, torch
import test_verbs as verbs
from fastai.torch_core import set_seed
from collab_lesson import scale
from collab_lesson.als import ALS
from collab_lesson.bias import DotProductBias
from collab_lesson.dot_product import predict
from collab_lesson.interpretation import similar
from collab_lesson.ranking import EASE, evaluate, recommend
from collab_lesson.ratings import Ratings, read_ratings, synthetic_ratings
from collab_lesson.scale import StoredRatings, fit_shards, floor, launch, shard_batches, shard_rows
from collab_lesson.training import fit

@pytest.fixture(scope='module')
def df(): return synthetic_ratings(300, 200, 8000)

@pytest.fixture(scope='module')
def r(df): return Ratings(df, item='movie', time='timestamp')

@pytest.fixture
def s(df, tmp_path): return Ratings.build(df, tmp_path/'r', item='movie', time='timestamp', most=1000)

def rows(r): return r.to_frame().sort_values(list(r.to_frame())).reset_index(drop=True)

def left_over(folder): return [o.name for o in Path(folder).iterdir() if o.name.startswith('.')]

# folders

def test_the_same_ratings_come_back(df, r, s, tmp_path):
    df.to_csv(tmp_path/'r.csv', index=False)
    df.to_parquet(tmp_path/'r.parquet')
    for o in (s, Ratings.open(s.folder), Ratings.build(tmp_path/'r.csv', tmp_path/'c', item='movie', time='timestamp'),
              Ratings.build(tmp_path/'r.parquet', tmp_path/'p', item='movie', time='timestamp'), Ratings.build(r, tmp_path/'o'),
              pickle.loads(pickle.dumps(s))):
        pd.testing.assert_frame_equal(rows(o), rows(r))
        assert isinstance(o, StoredRatings) and o.user_names==r.user_names and o.scale==r.scale and len(o)==len(r)
        np.testing.assert_allclose(o.moments, r.moments)
        assert (o.csr()!=r.csr()).nnz==0
        for a,b in zip(o.counts, r.counts): np.testing.assert_array_equal(a, b)

def test_the_item_side_is_the_transpose(r, s):
    users = np.fromfile(s.folder/'item_users.bin', np.int32)
    values = np.fromfile(s.folder/'item_values.bin', np.float32)
    t = r.csr().T.tocsr()
    t.sort_indices()
    np.testing.assert_array_equal(users, t.indices)
    np.testing.assert_array_equal(values, t.data)
    np.testing.assert_array_equal(s._item_starts, t.indptr)

def test_bytes_a_rating(df, tmp_path):
    n = lambda folder: sum(o.stat().st_size for o in folder.glob('*.bin'))
    assert n(Ratings.build(df, tmp_path/'a', item='movie', time=False).folder)==16*len(df)
    assert n(Ratings.build(df, tmp_path/'b', item='movie', time='timestamp').folder)==24*len(df)

def test_ids_of_any_kind(tmp_path):
    for ids in (['x', 'ä', ''.join(map(chr, range(97, 120)))], [2**63+1, 2**64-1, 5], [-3, 0, 10**12]):
        df = pd.DataFrame(dict(user=ids, item=['a', 'b', 'a'], rating=[1., 2., 3.]))
        o = Ratings.open(Ratings.build(df, tmp_path/'r', overwrite=True).folder)
        assert list(o.user_names.index)==sorted(ids) and o.user_names==Ratings(df).user_names

def test_ids_that_overflow_are_text(tmp_path):
    (tmp_path/'a.csv').write_text(f'user,item,rating\n{2**70},1,3\n5,2,4\n')
    o = Ratings.open(Ratings.build(tmp_path/'a.csv', tmp_path/'r').folder)
    assert o.user_names==read_ratings(tmp_path/'a.csv').user_names and str(2**70) in o.user_names

@pytest.mark.parametrize('repeats', ['keep', 'sum', 'mean', 'last'])
def test_repeated_pairs(repeats, tmp_path):
    df = pd.DataFrame(dict(user=[1, 1, 2, 1], item=[7, 7, 7, 8], rating=[1., 4., 2., 5.], time=[20, 10, 5, 5]))
    o, m = Ratings.build(df, tmp_path/'r', repeats=repeats), Ratings(df, time='time', repeats=repeats)
    pd.testing.assert_frame_equal(rows(o)[['user', 'item', 'rating']], rows(m)[['user', 'item', 'rating']])
    with pytest.raises(ValueError, match='repeat'): Ratings.build(df, tmp_path/'x', repeats='error')
    assert not (tmp_path/'x').exists() and not left_over(tmp_path)

def test_appending_keeps_numbers(df, r, tmp_path):
    old = Ratings.build(df, tmp_path/'r', item='movie', time='timestamp')
    names = old.user_names.index, old.item_names.index
    more = pd.DataFrame(dict(user=[0, 1, 9999], movie=[5, 9998, 9999], rating=[1, 2, 3], timestamp=[1, 2, 3]))
    new = Ratings.build(more, tmp_path/'r', append=True)
    pd.testing.assert_frame_equal(rows(new), rows(r.append(more)), check_dtype=False)
    for a,b in zip(names, (new.user_names.index, new.item_names.index)): assert list(b[:len(a)])==list(a)
    with pytest.raises(ValueError, match='text'): Ratings.build(more.assign(user=['a', 'b', 'c']), tmp_path/'r', append=True)
    assert len(Ratings.open(tmp_path/'r'))==len(new)  # as it was

def test_bad_input(tmp_path, df):
    build = lambda o, **kw: Ratings.build(o, tmp_path/'x', **kw)
    (tmp_path/'empty.csv').write_text('')
    (tmp_path/'bad.parquet').write_bytes(b'PAR1 and nothing else')
    (tmp_path/'mixed.csv').write_text('user,item,rating\n1,1,3\n2,2,good\n')
    for source,kw,error,text in [
            (tmp_path/'none.csv', {}, FileNotFoundError, 'no such file'), (tmp_path/'empty.csv', {}, ValueError, 'empty.csv'),
            (tmp_path/'bad.parquet', {}, ValueError, 'damaged'), (tmp_path/'mixed.csv', {}, ValueError, 'no number'),
            (df, dict(user='usr', item='movie'), ValueError, 'Did you mean user'), (df.head(0), dict(item='movie'), ValueError, '0 rows'),
            (df.assign(user=['a']+[1]*(len(df)-1)), dict(item='movie'), ValueError, 'text'), (7, {}, TypeError, 'DataFrame'),
            (tmp_path/'mixed.csv', dict(colour=1), TypeError, 'colour')]:
        with pytest.raises(error, match=text): build(source, **kw)
    assert not (tmp_path/'x').exists() and not left_over(tmp_path)
    build(df, item='movie')
    with pytest.raises(FileExistsError, match='append'): build(df, item='movie')
    with pytest.raises(FileNotFoundError, match='Ratings.build'): Ratings.open(tmp_path/'nowhere')
    with open(tmp_path/'x/items.bin', 'r+b') as f: f.truncate(100)
    with pytest.raises(ValueError, match='cut short'): Ratings.open(tmp_path/'x')

def test_a_disk_that_fills(df, tmp_path, monkeypatch):
    s = Ratings.build(df, tmp_path/'r', item='movie')
    put, n = scale._put, [0]
    def full(f, a):
        n[0] += 1
        if n[0]>9: raise OSError(errno.ENOSPC, 'No space left on device')
        put(f, a)
    monkeypatch.setattr(scale, '_put', full)
    with pytest.raises(OSError, match='disk is full'): Ratings.build(df, tmp_path/'r', item='movie', overwrite=True, most=500)
    assert not left_over(tmp_path) and len(Ratings.open(tmp_path/'r'))==len(df)
    monkeypatch.setattr(scale.shutil, 'disk_usage', lambda o: type('', (), dict(free=10)))
    with pytest.raises(OSError, match='are needed while building'): Ratings.build(df, tmp_path/'n', item='movie')

def test_a_killed_build_leaves_nothing_half_done(df, tmp_path):
    df.to_csv(tmp_path/'r.csv', index=False)
    code = ('import os, sys; from collab_lesson import scale; from collab_lesson.ratings import Ratings; f = scale._merged\n'
            'scale._merged = lambda *a: os.kill(os.getpid(), 9)\nRatings.build(sys.argv[1]+"/r.csv", sys.argv[1]+"/r", item="movie")')
    p = common.python(code, tmp_path)
    p.communicate(timeout=300)
    assert p.returncode==-9 and not (tmp_path/'r').exists() and len(left_over(tmp_path))==1
    Ratings.build(tmp_path/'r.csv', tmp_path/'r', item='movie')
    assert not left_over(tmp_path) and len(Ratings.open(tmp_path/'r'))==len(df)

@pytest.mark.parametrize('by', ['random', 'time', 'user', 'last'])
def test_split_on_disk(by, r, s, tmp_path):
    train, valid = s.split(by, .25, folder=tmp_path/'parts')
    assert isinstance(train, StoredRatings) and valid.train is train and len(train)+len(valid)==len(r)
    if by!='random':
        a, b = r.split(by, .25)
        assert len(train)==len(a) or by=='time'
        if by=='user': pd.testing.assert_frame_equal(rows(valid)[['rating', 'timestamp']], rows(b)[['rating', 'timestamp']])
    assert train.user_names==valid.user_names and train.unknown==0
    assert evaluate(fit(ALS(4), train, valid=valid, bar=False).model, valid)['RMSE']<1.2

# solvers

def test_models_do_not_care_where_ratings_are(r, s):
    close = lambda a, b: torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-4)
    users = r.user_names.index[:50]
    for make in (lambda: ALS(5), lambda: ALS(5, implicit=True, alpha=.5), EASE):
        a, b = (fit(make(), o, bar=False).model for o in (r, s))
        close(predict(a, r, users, r.item_names.index[3]), predict(b, s, users, r.item_names.index[3]))
        assert list(recommend(a, r, users, n=1).item)==list(recommend(b, s, users, n=1).item)

@verbs.every
def test_every_verb_takes_a_folder(name, tmp_path):
    df = verbs.checkerboard() if name in verbs.starred else verbs.liked_only(verbs.checkerboard())
    s = Ratings.build(df, tmp_path/'r')
    model = verbs.train(name, s).model
    assert torch.isfinite(predict(model, s, [0, 1], 0)).all()
    df = recommend(model, s, [0, 1], n=3)
    assert len(df)>=2 and not any(i in s.item_names.index[s.seen(s.user_names.find([u])[0])-1] for u,i in zip(df.user, df.item))
    if name not in ('Popularity', 'StarKNN of users', 'ListKNN of users'): assert len(similar(model, s, 0, 3))
    verbs.save(model, s, tmp_path/'m')
    again, data = verbs.load(tmp_path/'m')
    torch.testing.assert_close(predict(again, data, [0, 1], 0), predict(model, s, [0, 1], 0))

def test_sides_in_small_pieces(s, monkeypatch):
    whole = fit(ALS(5), s, bar=False).epochs.objective
    monkeypatch.setattr(scale.StoredSide.__init__, '__defaults__', (*scale.StoredSide.__init__.__defaults__[:-1], 300))
    np.testing.assert_allclose(fit(ALS(5), s, bar=False).epochs.objective, whole, rtol=1e-6)

def test_sgd_visits_every_rating(s):
    seen = pd.concat([o.to_frame() for o in s.pieces(np.random.default_rng(1), 700)])
    assert len(seen)==len(s) and not seen.duplicated().any()
    loss = fit(DotProductBias(s.n_users, s.n_items, 5, y_range='auto'), s, 10, bar=False, solver='sgd').epochs.train_loss
    assert loss.iloc[-1]<.9*loss.iloc[0]

def test_floor_grows_with_the_work():
    m = dict(bandwidth=1e10, peak=1e11)
    assert floor(10**6, 20, limits=m).seconds==max(12*10**6/1e10, 8*21*10**6/1e11)
    assert floor(10**6, 64, 'ALS', limits=m).operations>5*floor(10**6, 20, 'ALS', limits=m).operations
    with pytest.raises(ValueError, match='method'): floor(10, 2, 'EASE')

# several processes

@pytest.fixture(scope='module')
def shared(tmp_path_factory): return Ratings.build(synthetic_ratings(300, 200, 8000), tmp_path_factory.mktemp('s')/'r', item='movie')

def trained(s, n_epoch=3, n_processes=1, **kw):
    set_seed(1)
    return fit_shards(DotProductBias(s.n_users, s.n_items, 5, y_range='auto'), s, n_epoch, bs=1000, n_processes=n_processes, n_shards=2, **kw)

def test_every_rating_once_an_epoch(shared):
    got, cuts = [], shard_rows(shared, 3)
    for lo,hi in zip(cuts[:-1], cuts[1:]):
        parts = list(shard_batches(shared, lo, hi, 100, [1, 2], most=500))
        assert all(len(o[0])<=100 for o in parts) and all(((lo<=o[0]) & (o[0]<hi)).all() for o in parts)
        got += [np.stack([u, i], 1) for u,i,_ in parts]
    got = np.concatenate(got)
    assert len(got)==len(shared)==len(np.unique(got, axis=0))
    assert list(trained(shared).epochs.ratings)==[len(shared)]*3

def test_two_processes_do_what_one_does(shared):
    one, two = trained(shared), trained(shared, n_processes=2)
    np.testing.assert_allclose(one.epochs.train_loss, two.epochs.train_loss, atol=1e-4)
    torch.testing.assert_close(one.model.movie_factors.weight, two.model.movie_factors.weight, atol=1e-4, rtol=1e-3)
    assert two.epochs.train_loss.iloc[-1]<one.epochs.train_loss.iloc[0]-.1

def test_a_checkpoint_goes_on(shared, tmp_path):
    whole = trained(shared, 4)
    assert len(trained(shared, 2, folder=tmp_path).epochs)==2
    rest = trained(shared, 4, folder=tmp_path)
    np.testing.assert_array_equal(whole.epochs.train_loss, rest.epochs.train_loss)
    torch.testing.assert_close(whole.model.user_factors.weight, rest.model.user_factors.weight, atol=0, rtol=0)
    with pytest.raises(ValueError, match='another lr'): trained(shared, 4, folder=tmp_path, lr=.3)

def test_a_killed_worker_ends_the_run(shared, tmp_path, monkeypatch):
    start, real = time.perf_counter(), scale.launch
    monkeypatch.setattr(scale, 'launch', lambda job, n: real(job | dict(die=[1, 1]), n))
    with pytest.raises(RuntimeError, match='processes failed') as e: trained(shared, 3, 2, folder=tmp_path)
    assert time.perf_counter()-start<60 and 'Epoch' in str(e.value)
    monkeypatch.undo()
    np.testing.assert_allclose(trained(shared, 3, folder=tmp_path).epochs.train_loss, trained(shared).epochs.train_loss, rtol=1e-6)

@pytest.mark.skipif(not __import__('importlib.util').util.find_spec('accelerate'), reason='without accelerate')
def test_accelerate_runs_two_processes(shared, tmp_path):
    job = dict(kind='accelerate', data=str(shared.folder), folder=str(tmp_path), k=5, bs=500, lr=.005, wd=.1, n_epoch=1, seed=1,
               y_range=[.5, 5.5], device='cpu', timeout=30)
    launch(job, 2, dict(ACCELERATE_USE_CPU='true'))
    log = json.loads((tmp_path/'log.json').read_text())
    assert log[0]['processes']==2 and len(shared)-500<log[0]['ratings']<=len(shared)
