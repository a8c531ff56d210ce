"Spark, tables split over processes, lists from an index, ONNX: what their notebook cannot show well."
import json, os, shutil, sys, time

import common  # sets the number of threads
import numpy as np, pandas as pd, pytest, torch
from fastai.collab import EmbeddingDotBias
from fastai.torch_core import set_seed
from collab_lesson.als import ALS
from collab_lesson.bayesian import BayesianMF
from collab_lesson.bias import DotProductBias
from collab_lesson.cold_start import fold_in, predict_new
from collab_lesson.collab_learner import load, save
from collab_lesson.custom_embedding import DotProductBiasCustom
from collab_lesson.deep_learning import CollabNN
from collab_lesson.dot_product import DotProduct, predict
from collab_lesson.ranking import BPR, EASE, Popularity, evaluate, recommend
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.serving import *
from collab_lesson.sigmoid_range import DotProductWithRange
from collab_lesson.training import fit

@pytest.fixture(scope='module')
def r(): return Ratings(synthetic_ratings(150, 400, 6000, seed=2), item='movie')

n = lambda r: (r.n_users, r.n_items)
gradient = dict(n_epoch=2, lr=.05, bs=64, bar=False)
dots = {'DotProduct': (lambda r: DotProduct(*n(r), 4), gradient),
        'DotProductWithRange': (lambda r: DotProductWithRange(*n(r), 4, y_range='auto'), gradient),
        'DotProductBias': (lambda r: DotProductBias(*n(r), 4, y_range='auto'), gradient),
        'DotProductBiasCustom': (lambda r: DotProductBiasCustom(*n(r), 4, y_range='auto'), gradient),
        'EmbeddingDotBias': (lambda r: EmbeddingDotBias(4, *n(r), y_range='auto'), gradient),
        'BPR': (lambda r: BPR(*n(r), 4, n_others=8), gradient), 'ALS': (lambda r: ALS(4, n_epochs=3, y_range=None), {})}

def trained(make, r):
    make, settings = make
    set_seed(1)
    return fit(make(r), r, **settings).model

@pytest.mark.parametrize('name', dots)
@pytest.mark.parametrize('index', [None, 'ivf'])
def test_topk_is_recommend(name, index, r):
    if index: pytest.importorskip('faiss')
    model, users = trained(dots[name], r), r.user_names.index[:30].tolist()
    top = TopK(model, r, index, recall=1., n_cells=4)
    want, got = recommend(model, r, users, 8), top.recommend(users, 8)
    assert list(got.columns)==list(want.columns) and list(got.user)==list(want.user)
    if index is None or top.n_probe==4: assert np.allclose(got.score, want.score, atol=1e-4) and (got.item==want.item).mean()>.99
    assert (got.groupby('user').item.nunique()==8).all()

@pytest.mark.parametrize('make', [EASE, Popularity, lambda: BayesianMF(3, n_sweeps=5, burn=1)])
def test_topk_refuses_what_is_no_dot_product(make, r):
    with pytest.raises(TypeError, match='not dot products'): TopK(fit(make(), r, bar=False).model, r)

def test_topk_refuses_a_network(r):
    with pytest.raises(TypeError, match='not dot products'): TopK(trained((lambda r: CollabNN((r.n_users, 4), (r.n_items, 4), y_range='auto'), gradient), r), r)

def test_a_short_list_from_the_index_is_made_again(r):
    "One cell of many cannot hold all items that a user has left"
    pytest.importorskip('faiss')
    top = TopK(trained(dots['BPR'], r), r, 'ivf', recall=.01, n_cells=64)
    assert top.n_probe==1
    user = r.user_names[1]
    assert len(top.recommend(user, 5000))==r.n_items-1-len(r.seen(1))
    assert len(top.recommend(user, 5000, exclude_seen=False))==r.n_items-1

def test_recall_of(): assert recall_of(torch.tensor([[3, 1], [5, 6]]), torch.tensor([[1, 2], [6, 5]]))==.75

@pytest.mark.parametrize('name', ['DotProductBias', 'ALS', 'BPR', 'CollabNN'])
def test_onnx(name, r, tmp_path):
    ort = pytest.importorskip('onnxruntime'); pytest.importorskip('onnxscript')
    make = dots.get(name, (lambda r: CollabNN((r.n_users, 4), (r.n_items, 4), y_range='auto'), gradient))
    model = trained(make, r)
    session = ort.InferenceSession(str(to_onnx(model, tmp_path/'m.onnx')))
    for m in (1, 2, 777):
        x = torch.stack([torch.randint(0, o, (m,)) for o in n(r)], 1)
        score, = session.run(None, {'x': x.numpy()})
        with torch.no_grad(): assert score.shape==(m,) and np.abs(score-model.eval()(x).numpy()).max()<1e-5

def test_onnx_refuses_what_it_cannot_write(r, tmp_path):
    pytest.importorskip('onnxscript')
    with pytest.raises(TypeError, match='EASE cannot be written as ONNX'): to_onnx(fit(EASE(), r, bar=False).model, tmp_path/'m.onnx')

program = '''
import json, sys, torch
from fastai.torch_core import set_seed
from collab_lesson.bias import DotProductBias
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.serving import fit_sharded
r = Ratings(synthetic_ratings(151, 300, 4000), item='movie')
set_seed(0)
model = DotProductBias(r.n_users, r.n_items, 4, y_range=(0, 6))
df = fit_sharded(model, r, 2, lr=.05, bs=256)
full = {k: (v.full_tensor() if hasattr(v, 'full_tensor') else v).double().sum().item() for k,v in model.state_dict().items()}
print(json.dumps(dict(loss=df.train_loss.tolist(), rows=int(df.rows.iloc[0]), full=full)))
'''

def test_two_processes_follow_one():
    one, two = torchrun(program, 1), torchrun(program, 2)
    assert len(one)==1 and len(two)==2
    assert one[0]['rows']==sum(o['rows'] for o in two) and abs(two[0]['rows']-two[1]['rows'])<=1
    for o in two:
        assert np.allclose(o['loss'], one[0]['loss'], atol=1e-5) and o['loss'][1]<o['loss'][0]
        for k,v in one[0]['full'].items(): assert abs(o['full'][k]-v)<1e-3

def test_a_process_that_fails_is_reported():
    bad = "import os\nif os.environ['RANK']=='1': raise ValueError('the second has no data')\nprint('1')"
    with pytest.raises(RuntimeError, match='the second has no data'): torchrun(bad, 2)
    with pytest.raises(RuntimeError, match='more than 3 seconds'): torchrun('import time; time.sleep(60)', 1, seconds=3)


# Spark

def test_no_java(monkeypatch):
    pytest.importorskip('pyspark')
    monkeypatch.setenv('JAVA_HOME', '/nowhere')
    with pytest.raises(RuntimeError, match='Spark needs Java 17') as e: spark_session()
    assert '\n' not in str(e.value)

def test_no_pyspark():
    p = common.python("import sys; sys.modules['pyspark'] = None\nfrom collab_lesson.serving import *\ntry: spark_session()\nexcept ModuleNotFoundError as e: print(e)")
    assert p.communicate(timeout=120)[0].strip()=="pyspark is not installed: pip install 'collab_lesson[spark]'"

has_spark = pytest.mark.skipif(shutil.which('java') is None, reason='no Java')

@has_spark
def test_a_master_that_does_not_answer():
    "Nobody listens; or somebody does who is no Spark: a line, in less than a minute"
    pytest.importorskip('pyspark')
    import socket
    with socket.create_server(('127.0.0.1', 0)) as s:
        port, start = s.getsockname()[1], time.monotonic()
        with pytest.raises(TimeoutError, match='does not answer') as e: spark_session(f'spark://127.0.0.1:{port}', seconds=20)
        assert time.monotonic()-start<60 and '\n' not in str(e.value)
    with pytest.raises(TimeoutError, match='does not answer'): spark_session(f'spark://127.0.0.1:{port}')

@has_spark
def test_spark(tmp_path):
    "From `Ratings` and from Parquet: the same factors, the verbs, a saved folder, bad columns"
    pytest.importorskip('pyspark')
    df = synthetic_ratings(60, 80, 2000, seed=3)
    r = Ratings(df, item='movie')
    train, test = r.split(seed=0)
    model = fit(SparkALS(4, n_epochs=4), train).model
    got = evaluate(model, test)
    assert got['RMSE']<test.values.std() and len(recommend(model, train, r.user_names[1], 5))==5
    X, u = train.csr(), 7  # its users' equations: a ridge that grows with the count
    row = X[[u]]
    D = model.movie_factors.double().numpy()[row.indices]
    exact = np.linalg.solve(D.T@D + np.eye(4)*model.reg*len(row.indices), D.T@row.data)
    assert np.allclose(exact, model.user_factors[u].numpy(), atol=1e-3)
    save(model, train, tmp_path/'saved')
    again, data = load(tmp_path/'saved')
    assert torch.equal(again.user_factors, model.user_factors)
    train.to_frame().to_parquet(tmp_path/'r.parquet')
    other, names = fit_spark(tmp_path/'r.parquet', item='movie', n_factors=4, n_epochs=4)
    assert list(names.user_names.index)==list(train.user_names.index) and len(names)==0
    users, items = r.user_names.index[:5].tolist(), r.item_names.index[:5].tolist()
    assert np.allclose(predict(other, names, users, items), predict(model, train, users, items), atol=.3)
    vector = fold_in(other, torch.tensor([1, 2]), [5., 1.])
    assert predict_new(other, vector)[1]>predict_new(other, vector)[2]
    more = names.append(train.to_frame()[lambda d: d.user==users[0]])
    assert not set(recommend(other, more, users[0], 5).item) & set(train.to_frame()[lambda d: d.user==users[0]].movie)
    for change, columns, why in [(lambda d: d, dict(item='movei'), "no column 'movei'. Did you mean movie"),
                                 (lambda d: d.assign(user=d.user.astype(str)), dict(item='movie'), 'whole numbers as ids, not string'),
                                 (lambda d: d.assign(user=d.user+2**40), dict(item='movie'), '32 bits'),
                                 (lambda d: d.assign(rating='five'), dict(item='movie'), 'ratings must be numbers, not string'),
                                 (lambda d: d[:0], dict(item='movie'), '0 ratings')]:
        change(train.to_frame()).to_parquet(tmp_path/'bad.parquet')
        with pytest.raises(ValueError, match=why): fit_spark(tmp_path/'bad.parquet', **columns)
    (tmp_path/'bad.parquet').write_bytes(b'no parquet')
    with pytest.raises(ValueError, match='cannot be read as Parquet'): fit_spark(tmp_path/'bad.parquet')
    with pytest.raises(ValueError, match='no such file'): fit_spark(tmp_path/'none.parquet')
