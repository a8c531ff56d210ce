"The whole road on data that nobody here wrote: read, split, fit, evaluate, predict, recommend, similar, save, load, fold in. Files with the oddities of known sets are made here; three real sets are used where they are."
import warnings

import common
import numpy as np, pandas as pd, pytest, torch
from fastai.torch_core import set_seed
from collab_lesson.als import ALS
from collab_lesson.bayesian import BayesianMF
from collab_lesson.bias import DotProductBias
from collab_lesson.cold_start import fold_in_all
from collab_lesson.collab_learner import load, save
from collab_lesson.dot_product import predict
from collab_lesson.interpretation import factor_map, ranked_bias, similar
from collab_lesson.ranking import BPR, EASE, ItemCosine, Popularity, evaluate, recommend
from collab_lesson.ratings import Ratings, read_ratings, synthetic_ratings
from collab_lesson.training import fit

pytest.importorskip('pyarrow', reason="PyArrow is not installed: pip install 'collab_lesson[files]'")
other = common.root.parent/'shared/data/other'

def book_crossing(df, path): # semicolons, latin-1, ISBNs with anything in them, 0 for "has it"
    isbn = lambda i: f'{i:09}' + ('X' if i%3 else '')
    rows = [f'"{276725+u}";"{isbn(i)}";"{(r-1)*2}"' for u,i,r in zip(df.user, df.movie, df.rating)]
    path.write_bytes('\r\n'.join(['"User-ID";"ISBN";"Book-Rating"', *rows[:-1], rows[-1].replace(';"0', ';"é0')]).encode('latin-1'))

def one_million(df, path): path.write_text('\n'.join(f'{u}::{i}::{r}::{t}' for u,i,r,t in zip(df.user, df.movie, df.rating, df.timestamp)) + '\n')
def lastfm(df, path): # counts with a long tail, and no times
    plays = np.exp(df.rating*1.5 + np.random.default_rng(0).normal(0, .5, len(df))).astype(int)+1
    path.write_text('userID\tartistID\tweight\n' + '\n'.join(f'{u}\t{i}\t{p}' for u,i,p in zip(df.user, df.movie, plays)))
def halves(df, path): # MovieLens latest
    df.assign(rating=df.rating-.5*(df.movie%2))[['user','movie','rating','timestamp']].to_csv(path, index=False, header=['userId','movieId','rating','timestamp'])
def jester(df, path): # text for ids, -10 to 10
    df.assign(user='u'+df.user.astype(str), joke='j'+df.movie.astype(str), rating=(df.rating-3)*5 + .25*(df.movie%3))[['user','joke','rating']].to_csv(path, index=False)
def big_ids(df, path):
    df.assign(user=df.user+10**11, movie=df.movie+10**18).to_parquet(path)

made = {'Book-Crossing': (book_crossing, 'BX-Book-Ratings.csv'), '1M': (one_million, 'ratings.dat'), 'Last.fm': (lastfm, 'user_artists.dat'), 'halves': (halves, 'ratings.csv'),
        'Jester-like': (jester, 'jokes.csv'), 'big ids': (big_ids, 'part.parquet')}
real = {'latest-small': 'latest-small.ratings.csv', 'FilmTrust': 'filmtrust.txt', 'Jester': 'jester5k.csv.gz'}

@pytest.fixture(scope='module', params=[*made, *real])
def ratings(request, tmp_path_factory):
    name = request.param
    if name in real:
        if not (other/real[name]).exists(): pytest.skip(f'{real[name]} is not on this machine')
        r = read_ratings(other/real[name])
        return r[np.random.default_rng(0).permutation(len(r))[:25_000]]
    write, file = made[name]
    path = tmp_path_factory.mktemp('road')/file
    write(synthetic_ratings(120, 90, 3600, seed=4), path)
    return read_ratings(path)

def models(r):
    yield DotProductBias(r.n_users, r.n_items, 10, y_range='auto'), dict(n_epoch=4, lr=.02, wd=.1, bs=256, bar=False)
    yield ALS(8, n_epochs=4), {}
    yield BayesianMF(5, n_sweeps=12, burn=4), {}
    yield EASE(), {}
    yield ItemCosine(), {}
    yield BPR(r.n_users, r.n_items, 8, n_others=20), dict(n_epoch=2, bar=False)
    yield Popularity(), {}

def test_the_whole_road(ratings, tmp_path):
    warnings.simplefilter('ignore') # FilmTrust has pairs twice, which is said
    train, valid = ratings.split(seed=1)
    sd = valid.values.std()
    set_seed(1)
    for model,settings in models(train):
        name = type(model).__name__
        run = fit(model, train, valid=valid, **settings)
        e = evaluate(run.model, valid)
        assert e['of unknown items']+e['of unknown users']>=valid.unknown
        if name in ('ALS', 'BayesianMF', 'DotProductBias'):
            assert e.RMSE<sd*.99, f'{name}: RMSE {e.RMSE:.3f}, and the mean rating has {sd:.3f}'
            lo,hi = train.scale
            assert run.valid_loss==pytest.approx(e.RMSE**2, rel=.02) if name!='BayesianMF' else True
        else: assert e.nDCG>0
        user, item = train.user_names[5], train.item_names[3]
        p = predict(run.model, train, user, [item, train.item_names[4]])
        assert p.isfinite().all()
        lists = recommend(run.model, train, [user, train.user_names[6]], 5)
        assert set(lists.user) <= {user, train.user_names[6]} and lists.score.notna().all() and len(lists)
        if name!='Popularity': assert len(similar(run.model, train, item, 3))==3
        again, data = load(save(run.model, train, tmp_path/name))
        assert torch.equal(predict(again, data, user, [item, train.item_names[4]]), p)
        if name in ('ALS', 'DotProductBias', 'EASE'):
            new = 'somebody new' if isinstance(user, str) else 1
            row = {k: v for k,v in zip([train.columns[o] for o in ('user', 'item', 'rating')], ([new]*3, [train.item_names[i] for i in (1,2,3)], [hi, lo, hi]))}
            if train.times is not None: row[train.columns['time']] = int(train.times.max())
            more = train.append(pd.DataFrame(row))
            assert len(recommend(fold_in_all(run.model, more), more, new, 4))==4
        if name=='DotProductBias':
            import matplotlib.pyplot as plt
            assert len(ranked_bias(run.model, train, 3))==6
            plt.close(factor_map(run.model, train, 20).figure)

def test_the_right_range_matters():
    "Jester: a default range that cannot hold the ratings used to give 21 where the right one gives 16"
    if not (other/real['Jester']).exists(): pytest.skip('Jester is not on this machine')
    train, valid = read_ratings(other/real['Jester']).split()
    run = fit(ALS(8, n_epochs=3), train, valid=valid)
    assert run.valid_loss<18.5, run
