"One set of tests for all models: the verbs on data with an obvious answer, on other scales, with other names, and on what breaks."
import json, math, os, signal, sys, types, warnings

import common  # sets the number of threads
import numpy as np, pandas as pd, pytest, torch
from fastai.collab import EmbeddingDotBias
from fastai.torch_core import set_seed
from collab_lesson.als import ALS
from collab_lesson.bayesian import BayesianMF
from collab_lesson.bias import DotProductBias
from collab_lesson.cold_start import fold_in_all
from collab_lesson.collab_learner import load, save
from collab_lesson.custom_embedding import DotProductBiasCustom
from collab_lesson.data import lesson_dls
from collab_lesson.deep_learning import CollabNN, WideAndDeep
from collab_lesson.dot_product import DotProduct, predict
from collab_lesson.interpretation import similar
from collab_lesson.neighbors import ListKNN, SLIM, StarKNN
from collab_lesson.ranking import BPR, EASE, ItemCosine, Popularity, evaluate, recommend, score_block
from collab_lesson.ratings import Ratings, as_ratings, synthetic_ratings
from collab_lesson.sequences import FPMC, FPMCNet, LastNeighbors, MarkovChain, SASNet, SASRec
from collab_lesson.sigmoid_range import DotProductWithRange
from collab_lesson.training import Run, fit
from collab_lesson.two_towers import LightGCN, MultVAE, TwoTowers

# name → function of the training ratings that makes a model, and what `fit` gets besides
n = lambda r: (r.n_users, r.n_items)
gradient = dict(n_epoch=8, lr=.05, wd=.01, bs=32, bar=False)
makers = {
    'DotProduct':          (lambda r: DotProduct(*n(r), 4), gradient),
    'DotProductWithRange': (lambda r: DotProductWithRange(*n(r), 4, y_range='auto'), gradient),
    'DotProductBias':      (lambda r: DotProductBias(*n(r), 4, y_range='auto'), gradient),
    'DotProductBiasCustom':(lambda r: DotProductBiasCustom(*n(r), 4, y_range='auto'), gradient),
    'CollabNN':            (lambda r: CollabNN((r.n_users, 4), (r.n_items, 4), y_range='auto'), gradient),
    'WideAndDeep':         (lambda r: WideAndDeep((r.n_users, 4), (r.n_items, 4), None, None, y_range='auto'), gradient | dict(n_epoch=20)),
    'EmbeddingDotBias':    (lambda r: EmbeddingDotBias(4, *n(r), y_range='auto'), gradient),
    'BPR':                 (lambda r: BPR(*n(r), 4, n_others=8), dict(n_epoch=20, lr=.05, wd=.01, bs=16, bar=False)),
    'ALS':                 (lambda r: ALS(4, n_epochs=5), {}),
    'BayesianMF':          (lambda r: BayesianMF(4, n_sweeps=30, burn=5), {}),
    'EASE':                (lambda r: EASE(reg=1., dropout=0.), {}),
    'ItemCosine':          (lambda r: ItemCosine(), {}),
    'StarKNN':             (lambda r: StarKNN(k=5, shrinkage=1.), {}),
    'StarKNN of users':    (lambda r: StarKNN('user', k=5, shrinkage=1.), {}),
    'ListKNN':             (lambda r: ListKNN(), {}),
    'ListKNN of users':    (lambda r: ListKNN('user'), {}),
    'SLIM':                (lambda r: SLIM(l1=.1, l2=1.), {}),
    'LastNeighbors':       (lambda r: LastNeighbors(), {}),
    'MarkovChain':         (lambda r: MarkovChain(shrink=1., window=5, n_last=5), {}),
    'FPMC':                (lambda r: FPMC(4, n_epoch=10, bs=64), dict(bar=False)),
    'SASRec':              (lambda r: SASRec(8, n_last=10, n_epoch=20, bs=8), dict(bar=False)),
    'TwoTowers':           (lambda r: TwoTowers(n_factors=8, n_epoch=30, lr=.05, bs=32), {}),
    'MultVAE':             (lambda r: MultVAE(8, 16, n_epoch=60, lr=.02, wd=.01, bs=8), {}),
    'LightGCN':            (lambda r: LightGCN(8, n_epoch=30, bs=32), {}),
    'Popularity':          (lambda r: Popularity(), {})}
every = pytest.mark.parametrize('name', makers)
ordered = 'LastNeighbors', 'MarkovChain', 'FPMC', 'SASRec'  # these read the order, which is that of the rows here
of_lists = ('BPR', 'EASE', 'ItemCosine', 'ListKNN', 'ListKNN of users', 'SLIM', 'TwoTowers', 'MultVAE', 'LightGCN',
            *ordered, 'Popularity')
closed = ('EASE', 'ItemCosine', 'StarKNN', 'StarKNN of users', 'ListKNN', 'ListKNN of users', 'SLIM', 'TwoTowers', 'MultVAE',
          'LightGCN', 'LastNeighbors', 'MarkovChain', 'Popularity')
starred = [o for o in makers if o not in of_lists]
every_starred = pytest.mark.parametrize('name', starred)

def train(name, r, seed=1, valid=None):
    make, settings = makers[name]
    set_seed(seed)
    return fit(make(r), r, valid=valid, **settings)

def checkerboard(n_users=24, n_items=20, lo=1, hi=5, ids=lambda kind, i: i, drop=True):
    "Users like the items of their own color (`hi`) and dislike the others (`lo`); each user lacks one liked item"
    rows = [(ids('u', u), ids('i', i), hi if u%2==i%2 else lo) for u in range(n_users) for i in range(n_items)
            if not (drop and i==(u%2 + 2*(u//2))%n_items)]
    return pd.DataFrame(rows, columns=['user', 'item', 'rating'])

def liked_only(df): return df[df.rating==df.rating.max()]  # lists are made from what there is, whatever its stars

@pytest.fixture(scope='module')
def board(): return Ratings(checkerboard())

class Fitted(dict):
    "name → model on the checkerboard, and its ratings, trained when first asked for; models of lists see what is liked"
    def __missing__(self, name):
        r = Ratings(checkerboard() if name in starred else liked_only(checkerboard()).sample(frac=1, random_state=1) if name in ordered else liked_only(checkerboard()))
        return self.setdefault(name, (train(name, r).model, r))

@pytest.fixture(scope='module')
def fitted(): return Fitted()


# an obvious answer

@every
def test_fit_returns_a_run(name, board):
    run = train(name, board)
    assert isinstance(run, Run) and len(run.epochs) and run.seconds>=0 and not run.interrupted
    assert str(run) and run._repr_html_()
    assert {'epoch', 'seconds'} <= set(run.epochs)

@pytest.mark.parametrize('name', [o for o in starred if o!='DotProduct'])
def test_the_missing_square_is_filled(name, fitted):
    model, r = fitted[name]
    own, other = predict(model, r, 0, 0).item(), predict(model, r, 0, [1, 3, 5]).mean().item()
    assert own>3.4 and other<2.6, (own, other)
    assert 1<=own<=5.6

@pytest.mark.parametrize('name', [o for o in makers if o not in ('Popularity', 'DotProduct')])
def test_the_missing_square_is_recommended(name, fitted):
    model, r = fitted[name]
    hits = sum(recommend(model, r, u, 1).item[0]==(u%2 + 2*(u//2))%20 for u in range(20))
    assert hits>=14, f'{hits} of 20'

@every
def test_recommend_agrees_with_score_block_and_with_the_pairs(name, fitted):
    model, r = fitted[name]
    block = score_block(model, torch.arange(r.n_users))
    assert block.shape==n(r)
    x = torch.cartesian_prod(torch.tensor([1,5]), torch.arange(r.n_items))
    assert torch.allclose(model.eval()(x).detach().flatten(), block[[1,5]].flatten(), atol=1e-4)
    lists = recommend(model, r, n=3)
    assert list(lists.columns)==['user', 'item', 'score'] and (lists.groupby('user').score.is_monotonic_decreasing).all()
    one = recommend(model, r, lists.user[0], 3)
    assert one.score.tolist()==pytest.approx(lists.score[:len(one)].tolist(), abs=1e-5)
    seen = set(zip(*map(tuple, r.to_frame()[['user','item']].to_numpy().T)))
    assert not seen & set(zip(lists.user, lists.item)), 'what was seen is left out'
    assert recommend(model, r, 3, 50, exclude_seen=False).item.nunique()==r.n_items-1
    among = recommend(model, r, 3, among=[1, 2, 3], exclude_seen=False)
    assert set(among.item) <= {1, 2, 3}

@every
def test_evaluate_counts_and_measures(name):
    df = synthetic_ratings(60, 50, 1500, seed=2)
    a, b = Ratings(df, item='movie', time='timestamp').split()
    model = train(name, a, valid=b).model
    e = evaluate(model, b, k=5)
    assert ('RMSE' in e)==(name in starred) and 0<=e.nDCG<=1 and 0<=e.recall<=1 and e.k==5
    assert e['of unknown items']==(b.items==0).sum() and e.ratings==len(b)
    if name in starred: # on the data's own scale, and nothing is sure
        u = torch.stack([torch.tensor(b.users), torch.tensor(b.items)], 1).long()
        with torch.no_grad(): assert e.RMSE==pytest.approx(float(((model.eval()(u).flatten().cpu().numpy()-b.values)**2).mean()**.5), abs=1e-4)

def test_evaluate_says_what_fit_says():
    a, b = Ratings(synthetic_ratings(60, 50, 1500, seed=2), item='movie').split()
    run = train('DotProductBias', a, valid=b)
    assert run.unknown==b.unknown and evaluate(run.model, b).RMSE**2==pytest.approx(run.valid_loss, abs=1e-4)

@pytest.mark.parametrize('name', [o for o in makers if o!='Popularity'])
def test_similar(name, fitted):
    model, r = fitted[name]
    if name.endswith('of users'):  # it compares users, and says so
        with pytest.raises(TypeError, match='compares users'): similar(model, r, 4, 5)
        return
    s = similar(model, r, 4, 5)
    assert list(s.columns[:2])==['item', 'score'] and 4 not in set(s.item) and len(s)==5
    if name!='DotProduct': assert (s.item%2==0).mean()>.6, s
    with pytest.raises(ValueError, match='Unknown item'): similar(model, r, 99)


# names and scales

@every
@pytest.mark.parametrize('ids', ['text', 'huge', 'category'])
def test_names_do_not_matter(name, ids):
    "…whatever they are: the same rows give the same model"
    how = dict(text=lambda k,i: f'{k}{i:03}', huge=lambda k,i: 10**12+i, category=lambda k,i: f'{k}{i:03}')[ids]
    df, plain = checkerboard(8, 6, ids=how), Ratings(checkerboard(8, 6))
    if ids=='category': df = df.astype(dict(user='category', item='category'))
    r = Ratings(df)
    assert r.users.tolist()==plain.users.tolist() and r.items.tolist()==plain.items.tolist()
    a, b = train(name, r).model, train(name, plain).model
    x = torch.cartesian_prod(torch.arange(9), torch.arange(7))
    assert torch.allclose(a.eval()(x).float(), b.eval()(x).float(), atol=1e-5)
    top = recommend(a, r, how('u', 3), 2)
    assert set(top.item) <= set(df.item) and set(top.user)=={how('u', 3)}

@every_starred
@pytest.mark.parametrize('lo,hi', [(.5, 4), (-10, 10), (0, 1), (20, 100)])
def test_other_scales(name, lo, hi):
    if name=='DotProduct' and hi>50: pytest.skip('a bare dot product from nothing takes longer to get there')
    r = Ratings(checkerboard(lo=lo, hi=hi))
    model = train(name, r).model
    own, other = predict(model, r, 0, 0).item(), predict(model, r, 0, 1).item()
    pad = .2*(hi-lo)
    if name!='DotProduct': assert lo-pad<=other<own<=hi+pad
    if name!='DotProduct': assert own-other>.4*(hi-lo), (own, other)

@pytest.mark.parametrize('name', ['ALS', 'DotProductBias'])
def test_the_ridge_follows_the_scale(name):
    df = synthetic_ratings(60, 50, 1500, seed=2)
    small, large = (Ratings(df.assign(rating=df.rating*k), item='movie') for k in (1, 20))
    x = torch.cartesian_prod(torch.arange(9), torch.arange(7))
    a, b = (train(name, r).model(x).detach() for r in (small, large))
    assert torch.allclose(a*20, b, rtol=1e-3)

@pytest.mark.parametrize('make', [lambda r: DotProductBias(*n(r), 3), lambda r: DotProductWithRange(*n(r), 3), lambda r: DotProductBiasCustom(*n(r), 3),
    lambda r: CollabNN((r.n_users,3), (r.n_items,3)), lambda r: ALS(3, y_range=(1,5)), lambda r: BayesianMF(3, n_sweeps=3, burn=0, y_range=(1,5)),
    lambda r: EmbeddingDotBias(3, *n(r), y_range=(0,5.5))])
def test_ratings_that_the_model_cannot_reach_are_refused_by_name(make):
    r = Ratings(checkerboard(lo=2, hi=10))
    with pytest.raises(ValueError, match='y_range'): fit(make(r), r)

def test_no_limits_are_no_limits():
    r = Ratings(checkerboard(lo=20, hi=100))
    for model in (DotProductBias(*n(r), 3, y_range=None), ALS(3, y_range=None)): assert fit(model, r, **({'bar': False} if isinstance(model, DotProductBias) else {})).model.y_range is None

def test_auto_before_fit_says_so():
    with pytest.raises(RuntimeError, match='fit'): DotProductBias(3, 4, 2, y_range='auto')(torch.tensor([[1,1]]))


# what does not belong together

@every
def test_other_data_are_refused_by_every_verb(name, fitted, tmp_path):
    model, r = fitted[name]
    others = Ratings(checkerboard(10, 8)), Ratings(checkerboard(ids=lambda k,i: i+1000))
    for other in others:
        u, i = other.user_names[1], other.item_names[1]
        for verb in [lambda: predict(model, other, u, i), lambda: recommend(model, other, u), lambda: similar(model, other, i),
                     lambda: evaluate(model, other), lambda: save(model, other, tmp_path/'x')]:
            with pytest.raises(ValueError, match='trained on'): verb()

@every
def test_models_of_another_size_are_not_trained(name, board):
    make, settings = makers[name]
    if name in ('ALS', 'BayesianMF', 'FPMC', 'SASRec', *closed): pytest.skip('takes its size from the ratings')
    with pytest.raises(ValueError, match='Give the ratings'): fit(make(Ratings(checkerboard(10, 8))), board, **settings)

@every
def test_unknown_names(name, fitted):
    model, r = fitted[name]
    for verb in (lambda: predict(model, r, 99, 1), lambda: recommend(model, r, 99), lambda: predict(model, r, 1, 99)):
        with pytest.raises(ValueError, match='Unknown (user|item) 99. Did you mean'): verb()

@every
def test_valid_ratings_of_other_numbers_are_refused(name, board):
    with pytest.raises(ValueError, match='number their|one `split`'): train(name, board, valid=Ratings(checkerboard(10, 8)))


# small and empty

@every
def test_one_user_and_one_item(name):
    for df in (checkerboard(1, 12, drop=False), checkerboard(12, 1, drop=False)):
        r = Ratings(df)
        model = train(name, r).model
        assert predict(model, r, 0, 0).isfinite().all()
        assert len(recommend(model, r, 0, 5, exclude_seen=False))==min(5, r.n_items-1)
        with pytest.raises(ValueError, match='nothing left'): recommend(model, r, 0)

@every
def test_nothing_to_learn_from(name, board):
    with pytest.raises(ValueError, match='0 rows'): Ratings(checkerboard()[:0])
    with pytest.raises(ValueError, match='no batches|0 ratings'): train(name, board[:0])

@every_starred
def test_all_ratings_alike(name):
    r = Ratings(checkerboard(lo=3, hi=3))
    p = predict(train(name, r).model, r, 0, [0, 1])
    assert p.isfinite().all() and (abs(p-3)<(2.5 if name=='DotProduct' else 1.1)).all()

@every
def test_data_frames_are_not_ratings(name):
    make, settings = makers[name]
    with pytest.raises((TypeError, AttributeError), match='Ratings|train'): fit(make(Ratings(checkerboard())), checkerboard(), **settings)


# saved, loaded, extended

@every
def test_save_and_load(name, fitted, tmp_path):
    model, r = fitted[name]
    again, data = load(save(model, r, tmp_path/'m'))
    assert type(again) is type(model) and repr(data)==repr(r)
    x = torch.cartesian_prod(torch.arange(r.n_users), torch.arange(r.n_items))
    assert torch.equal(again.eval()(x), model.eval()(x))
    assert recommend(again, data, 3).equals(recommend(model, r, 3))
    if name!='Popularity' and not name.endswith('users'): assert similar(again, data, 4).equals(similar(model, r, 4))
    assert not [o.name for o in (tmp_path/'m').iterdir() if o.suffix not in ('.json', '.safetensors')]

def test_numpy_names_are_saved(tmp_path):
    r = Ratings(checkerboard(ids=lambda k,i: np.uint64(2**63+i)))
    _, data = load(save(train('ALS', r).model, r, tmp_path/'m'))
    assert data.user_names==r.user_names and isinstance(data.user_names[1], int)

@pytest.mark.parametrize('damage,error,msg', [
    (lambda d: (d/'settings.json').unlink(), FileNotFoundError, 'settings.json'), (lambda d: (d/'model.safetensors').unlink(), FileNotFoundError, 'model.safetensors'),
    (lambda d: (d/'model.safetensors').write_bytes(b'x'), ValueError, 'model.safetensors'), (lambda d: (d/'ratings.safetensors').write_bytes(b'x'), ValueError, 'ratings.safetensors'),
    (lambda d: (d/'settings.json').write_text('{'), ValueError, 'settings.json'), (lambda d: (d/'settings.json').write_text('[]'), ValueError, 'format'),
    (lambda d: (d/'settings.json').write_text((d/'settings.json').read_text().replace('collab_lesson.als.ALS', 'os.system')), ValueError, 'os.system')])
def test_a_folder_that_is_not_whole(damage, error, msg, board, tmp_path):
    save(train('ALS', board).model, board, tmp_path/'m')
    damage(tmp_path/'m')
    with pytest.raises(error, match=msg): load(tmp_path/'m')

@pytest.mark.parametrize('name', ['DotProductBias', 'DotProductBiasCustom', 'ALS', 'EASE', 'ItemCosine', 'StarKNN', 'ListKNN', 'SLIM', 'LastNeighbors', 'MarkovChain', 'SASRec'])
def test_people_who_arrive(name, fitted):
    model, r = fitted[name]
    evens = [2, 4, 6, 8]
    more = r.append(pd.DataFrame(dict(user=1000, item=evens, rating=5)))
    grown = fold_in_all(model, more)
    top = recommend(grown, more, 1000, 5)
    assert (top.item%2==0).all() and not set(top.item) & set(evens)
    assert torch.allclose(score_block(grown, [3]), score_block(model, [3]), atol=1e-5), 'the others have not noticed'
    with pytest.raises(ValueError, match='trained on'): predict(grown, r, 0, 0)

@pytest.mark.parametrize('name', ['BayesianMF', 'CollabNN', 'BPR', 'FPMC', 'Popularity', 'StarKNN of users', 'ListKNN of users'])
def test_models_that_cannot_fold_in_say_so(name, fitted):
    model, r = fitted[name]
    more = r.append(pd.DataFrame(dict(user=1000, item=[2, 4], rating=5)))
    with pytest.raises(TypeError, match=name.split()[0]): fold_in_all(model, more)


# interrupted

@pytest.mark.parametrize('name', [o for o in makers if o not in closed])
def test_an_interrupted_training_says_so(name, board, monkeypatch):
    "Ctrl-C in the middle: what was finished is kept, and the `Run` is marked"
    make, settings = makers[name]
    model, calls = make(board), [0]
    def trip(f):
        def inner(*args, **kwargs):
            calls[0] += 1
            if calls[0]==9: raise KeyboardInterrupt
            return f(*args, **kwargs)
        return inner
    if name=='ALS': monkeypatch.setattr('collab_lesson.als.solve_rows', trip(sys.modules['collab_lesson.als'].solve_rows))
    elif name=='BayesianMF': monkeypatch.setattr('collab_lesson.bayesian.Gibbs.sweep', trip(sys.modules['collab_lesson.bayesian'].Gibbs.sweep))
    elif name in ('FPMC', 'SASRec'): monkeypatch.setattr(*(lambda net: (net, 'forward', trip(net.forward)))(FPMCNet if name=='FPMC' else SASNet))
    else: monkeypatch.setattr(type(model), 'forward', trip(type(model).forward))
    run = fit(model, board, **settings)
    assert run.interrupted


# ids and dtypes: the same numbers on every pandas

@pytest.mark.parametrize('dtype', ['str', 'string', object, 'category'])
def test_the_dtype_of_a_column_decides_nothing(dtype):
    df = synthetic_ratings(40, 120, 800, seed=5)
    want, got = (Ratings(o, item='title').split() for o in (df, df.assign(title=df.title.astype(dtype), user=df.user.astype('category'))))
    for a,b in zip(want, got):
        assert a.items.tolist()==b.items.tolist() and list(a.item_names)==list(b.item_names) and a.unknown==b.unknown
    assert want[1].unknown>0

@pytest.mark.parametrize('dtype', ['str', object, 'category'])
def test_a_title_seen_in_validation_only_is_unknown(dtype):
    "…in fastai's loaders too, where categories used to bring titles that no training rating has"
    df = synthetic_ratings(40, 120, 800, seed=5)
    dls = lesson_dls(df.assign(title=df.title.astype(dtype)), device='cpu')
    a, b = Ratings(df, item='title').split()
    assert list(dls.classes['title'])[1:]==list(a.item_names)[1:]
    assert as_ratings(dls, 'valid').unknown==b.unknown
    model = fit(DotProductBias(*n(a), 5), dls, 1, bar=False).model
    assert set(recommend(model, dls, int(df.user[0]), 1000, exclude_seen=False).item)==set(list(a.item_names)[1:])

def test_seven_and_seven(): # 7 and '7'
    df = pd.DataFrame(dict(user=[7, '7', 8], item=[1, 2, 3], rating=[1, 2, 3]))
    with pytest.raises(ValueError, match="user: 2 of 3 ids are numbers and 1 are text"): Ratings(df)

def test_times_as_dates():
    df = synthetic_ratings(40, 60, 800, seed=1)
    a, b = Ratings(df, item='movie', time='timestamp'), Ratings(df.assign(timestamp=pd.to_datetime(df.timestamp, unit='s')), item='movie', time='timestamp')
    assert a.times.tolist()==b.times.tolist()
    with pytest.raises(ValueError, match='timestamp.*to_datetime'): Ratings(df.assign(timestamp='monday'), item='movie', time='timestamp')

def test_repeated_pairs_are_not_left_to_chance():
    df = pd.DataFrame(dict(user=[0,0,0,1], item=[1,1,1,2], rating=[5,4,3,2]))
    with pytest.warns(UserWarning, match='2 ratings repeat a pair'): assert Ratings(df).csr()[1,1]==3
    assert Ratings(df, repeats='sum').csr()[1,1]==12 and len(Ratings(df, repeats='last'))==2

def test_ids_of_ten_digits_cost_nothing():
    df = synthetic_ratings(40, 60, 800, seed=1)
    r = Ratings(df.assign(user=df.user+10**9, movie=df.movie+10**9), item='movie')
    assert n(r)==n(Ratings(df, item='movie')) and fit(ALS(5, n_epochs=1), r).model.user_factors.shape[0]==r.n_users

def test_whole_numbers_of_numpy():
    r = Ratings(synthetic_ratings(40, 60, 800, seed=1).astype(dict(user='uint32')), item='movie')
    fit(ALS(np.int64(3), n_epochs=np.int32(1), seed=np.int64(3)), r)
    fit(BayesianMF(3, n_sweeps=3, burn=np.int64(1)), r)
    fit(DotProductBias(*n(r), 3), r, np.int64(1), lr=np.float32(.005), bs=np.int64(64), bar=False)

@pytest.mark.parametrize('out', [None, types.SimpleNamespace(write=lambda s: None, flush=lambda: None)])
def test_no_terminal(out, monkeypatch):
    "pythonw and services have no standard output, or one without `isatty`"
    r = Ratings(synthetic_ratings(40, 60, 800, seed=1), item='movie')
    monkeypatch.setattr(sys, 'stdout', out)
    fit(DotProductBias(*n(r), 3), r, 1)

def test_windows_has_no_module_resource():
    p = common.python("import sys; sys.modules['resource'] = None\nfrom collab_lesson.all import *\nfrom collab_lesson.speed import cost")
    assert p.wait()==0, p.stderr.read()


# the container

def test_memory_of_ratings():
    r = Ratings(synthetic_ratings(40, 60, 800, seed=1), item='movie', time='timestamp')
    assert r.nbytes==20*len(r) and Ratings(r.to_frame(), item='movie').nbytes==12*len(r)

def test_loaders_show_each_rating_once_and_agree_with_the_table():
    r = Ratings(synthetic_ratings(40, 60, 800, seed=1), item='movie')
    dl = r.dls(bs=64, device='cpu').train
    rows = [(*x, y) for xs,ys in dl for x,y in zip(xs.tolist(), ys.tolist()) for x in [tuple(x)]]
    assert len(rows)==len(set(rows))==768 and set(rows) <= set(zip(r.users.tolist(), r.items.tolist(), r.values.tolist()))

@pytest.mark.parametrize('by', ['random', 'time', 'user', 'last'])
def test_splits_are_partitions(by):
    r = Ratings(synthetic_ratings(40, 60, 800, seed=1), item='movie', time='timestamp')
    a, b = r.split(by)
    key = lambda o: sorted(map(tuple, o.to_frame()[['timestamp', 'rating']].to_numpy().tolist()))
    assert sorted(key(a) + key(b))==key(r) and len(a) and len(b)
    assert set(a.user_names.index) <= set(r.user_names.index) and (a.users>0).all() and (a.items>0).all()
    if by=='time': assert a.times.max()<=b.times.min()
    if by=='last': assert (np.bincount(b.users)[1:]<=1).all()

@pytest.mark.parametrize('cls', [DotProductBias, DotProductBiasCustom])
def test_rows_to_spare_do_no_harm(cls, board):
    "A table may be larger than the ratings need; what has no name is never recommended"
    set_seed(1)
    model = fit(cls(board.n_users+3, board.n_items+5, 4, y_range='auto'), board, **gradient).model
    assert recommend(model, board, 3, 100, exclude_seen=False).item.nunique()==board.n_items-1
    assert predict(model, board, 0, 0)>3.4 and len(similar(model, board, 4, 100))==board.n_items-2
